import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Revision } from '#bundle/digest.ts';
import { Fault } from '#bundle/fault.ts';
import { type Repository, runGit, tryGit } from './git.ts';
import { currentSigners, signatureProblem } from './signature-report.ts';

/** Whose signatures count: from the disk of this machine, never from the commit that is looked at. */
export interface SignaturePolicy {
  /** `range`: every commit since the published one, along the first parents; a merge speaks for what it merges. */
  readonly verify: 'off' | 'head' | 'range';
  /** Path of a file as in ssh-keygen(1), ALLOWED SIGNERS. */
  readonly allowedSigners?: string;
  /** Path of a file of OpenPGP public keys. */
  readonly openpgpKeys?: string;
}

export interface SignatureOptions {
  readonly policy: SignaturePolicy;
  readonly next: Revision;
  /** Absent: nothing was published yet, and only `next` itself is looked at. */
  readonly published?: Revision;
  /** Keys that have expired by then do not count, whatever date a commit gives itself. */
  readonly nowMs: number;
}

/** Each takes some 20 ms. */
const commitLimit = 1000;

/** @throws Fault `COMMIT_SIGNATURE_REFUSED`, `SIGNERS_UNREADABLE`, `COMMITS_TOO_MANY` */
export async function checkSignatures(repository: Repository, options: SignatureOptions): Promise<void> {
  if (options.policy.verify === 'off') return;
  const commits = await commitsOf(repository, options);
  const folder = await mkdtemp(join(tmpdir(), 'boottorrent-signers-'));
  try {
    const trust = await openTrust(folder, options);
    // The oldest first: it is the one to begin with.
    for (const commit of commits.toReversed()) {
      const { status, said } = await tryGit(repository, [...trust.config, 'verify-commit', '--raw', commit], trust);
      const problem = signatureProblem(status, said);
      if (problem !== undefined) throw refusal(commit, problem);
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The newest first. */
async function commitsOf(repository: Repository, options: SignatureOptions): Promise<readonly string[]> {
  const { policy, next, published } = options;
  if (policy.verify === 'head' || published === undefined || published === next) return [next];
  const argv = ['rev-list', '--first-parent', `--max-count=${commitLimit + 1}`, next];
  const known = await runGit(repository, ['cat-file', '-t', published], { accept: [0, 128] });
  const range = known.length > 0 ? [...argv, `^${published}`] : argv;
  const commits = (await runGit(repository, range)).toString().split('\n').filter(Boolean);
  if (commits.length <= commitLimit) return commits;
  throw new Fault('COMMITS_TOO_MANY', `Cannot verify ${next.slice(0, 12)}: more than ${commitLimit} commits are new`, {
    hint: 'Publish some in between, or set git.verify to head for once',
    retry: 'stalled',
  });
}

interface Trust {
  readonly config: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
}

/** A folder with these keys and no others; the repository's configuration names no program. */
async function openTrust(folder: string, { policy, nowMs }: SignatureOptions): Promise<Trust> {
  const signers = join(folder, 'signers');
  const home = join(folder, 'gnupg');
  await mkdir(home, { mode: 0o700 });
  const written = policy.allowedSigners === undefined ? '' : await readKeys(policy.allowedSigners);
  await writeFile(signers, currentSigners(written, nowMs));
  const environment = { GNUPGHOME: home };
  if (policy.openpgpKeys !== undefined) {
    await readKeys(policy.openpgpKeys);
    await writeFile(join(home, 'gpg.conf'), 'no-autostart\nno-auto-key-retrieve\nbatch\nno-tty\n');
    await importKeys(policy.openpgpKeys, environment);
  }
  const settings = [
    `gpg.ssh.allowedSignersFile=${signers}`,
    'gpg.ssh.revocationFile=/dev/null',
    ...['gpg.program=gpg', 'gpg.openpgp.program=gpg', 'gpg.ssh.program=ssh-keygen', 'gpg.x509.program=/bin/false'],
    'gpg.minTrustLevel=undefined',
  ];
  return { environment, config: settings.flatMap((setting) => ['-c', setting]) };
}

async function readKeys(path: string): Promise<string> {
  return readFile(path, 'utf8').catch((cause) => {
    throw unreadable(path, cause.code);
  });
}

/** As git's own program for OpenPGP: no agent is started, nothing is asked of anybody. */
async function importKeys(path: string, environment: Readonly<Record<string, string>>): Promise<void> {
  const { execFile } = await import('node:child_process');
  const argv = ['--batch', '--no-tty', '--no-autostart', '--quiet', '--import', '--', path];
  const env = { ...environment, PATH: '/usr/local/bin:/usr/bin:/bin', LC_ALL: 'C' };
  await new Promise<void>((resolve, reject) => {
    execFile('gpg', argv, { env, timeout: 30_000, killSignal: 'SIGKILL' }, (error, _stdout, stderr) =>
      error ? reject(unreadable(path, stderr.trim().split('\n')[0] || error.message)) : resolve(),
    );
  });
}

function unreadable(path: string, reason: string): Fault {
  return new Fault('SIGNERS_UNREADABLE', `Cannot read the keys of ${path}: ${reason}`, {
    hint: 'git.allowedSigners and git.openpgpKeys name files on this machine; without them no commit can be verified',
  });
}

function refusal(commit: string, problem: string): Fault {
  return new Fault('COMMIT_SIGNATURE_REFUSED', `Cannot publish commit ${commit.slice(0, 12)}: ${problem}`, {
    hint: 'Sign it ("git commit --amend -S", or "git rebase --exec" for several) with a key that the site names',
    retry: 'stalled',
  });
}
