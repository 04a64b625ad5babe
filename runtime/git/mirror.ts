import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { parseRevision, type Revision } from '#bundle/digest.ts';
import { Fault } from '#bundle/fault.ts';
import { type GitEnd, runBoundGit } from './bound-git.ts';
import { gitEnvironment, guards } from './guards.ts';
import { countPacks, largestLeftover, removeLeftovers } from './leftovers.ts';
import { type Remote, withoutSecrets } from './remote.ts';

export interface MirrorOptions {
  /** Bare repository, made when it is missing. */
  readonly path: string;
  readonly remote: Remote;
  /** Absent: the remote's HEAD. */
  readonly branch?: string;
  /** Of it git is passed the search path, the home folder and agent for ssh, and proxies. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly limits?: MirrorLimits;
  readonly signal?: AbortSignal;
}

export interface MirrorLimits {
  /** For a question to the remote. Default: 30 s. */
  readonly askMs: number;
  /** For bringing commits here. Default: 10 min. */
  readonly fetchMs: number;
  /** What one fetch brings at most. Default: 2 GiB. */
  readonly fetchBytes: number;
}

/** A bare copy of the repository: its content is only ever read as objects, never checked out. */
export interface Mirror {
  readonly path: string;
  /**
   * Asks the remote for its newest commit, and fetches it when it is not here yet.
   * @throws Fault `GIT_UNREACHABLE`, `GIT_REFUSED`, `GIT_TOO_LARGE`, `GIT_TOO_SLOW`
   */
  update(): Promise<Revision>;
}

const mirrorRef = 'refs/boottorrent/head';
const defaultLimits: MirrorLimits = { askMs: 30_000, fetchMs: 600_000, fetchBytes: 2 * 1024 ** 3 };
/** What cannot be had is not asked for at every poll: it may be two gigabytes. */
const refusedPauseMs = 600_000;
/** Each fetch makes one; git looks through all of them for every object. */
const packLimit = 50;

/** @throws Fault `CONFIG_INVALID`, `GIT_FAILED` */
export async function openMirror(options: MirrorOptions): Promise<Mirror> {
  const { path, branch, remote } = options;
  if (branch !== undefined && !/^[\w][\w./+@-]*$/.test(branch)) {
    throw new Fault('CONFIG_INVALID', `Cannot follow branch ${JSON.stringify(branch)}: it is no branch name`);
  }
  await mkdir(path, { recursive: true });
  const configPath = join(dirname(path), 'git.config');
  await writeFile(configPath, guards(remote), { mode: 0o600 });
  const limits = options.limits ?? defaultLimits;
  const git = runner(options, { environment: gitEnvironment(options.environment, { configPath, remote }), limits });
  const ref = branch === undefined ? 'HEAD' : `refs/heads/${branch}`;
  await removeLeftovers(path);
  await init(git, path);
  let refused: { readonly revision: Revision; readonly fault: Fault; readonly untilMs: number } | undefined;

  async function update(): Promise<Revision> {
    const revision = await newest(git, { remote, ref });
    if (await hasCommit(git, revision)) return revision;
    if (refused?.revision === revision && performance.now() < refused.untilMs) throw refused.fault;
    try {
      return await fetch(git, { path, remote, ref, limits });
    } catch (fault) {
      await removeLeftovers(path);
      if (fault instanceof Fault && fault.code !== 'GIT_UNREACHABLE') {
        refused = { revision, fault, untilMs: performance.now() + refusedPauseMs };
      }
      throw fault;
    } finally {
      if ((await countPacks(path)) > packLimit) await git(['repack', '-a', '-d', '-k', '-q'], limits.fetchMs);
    }
  }
  return { path, update };
}

type Git = (argv: readonly string[], limitMs?: number) => Promise<GitEnd>;

function runner(
  { path, signal }: MirrorOptions,
  { environment, limits }: { environment: Readonly<Record<string, string>>; limits: MirrorLimits },
): Git {
  const bounds = { path, environment, fileLimitBytes: limits.fetchBytes, ...(signal && { signal }) };
  return (argv, limitMs = limits.askMs) => runBoundGit(argv, { ...bounds, limitMs });
}

/** One that a power cut damaged is made anew: all that is in it the remote has too. */
async function init(git: Git, path: string): Promise<void> {
  const end = await git(['init', '--quiet', '--bare', '--template=']);
  if (end.kind === 'done') return;
  throw new Fault('GIT_FAILED', `Cannot make a mirror in ${path}: ${reason(end)}`, {
    hint: `Remove ${path}: it is fetched anew`,
  });
}

/** By its whole name: a remote may list others that only end so. */
async function newest(git: Git, { remote, ref }: { remote: Remote; ref: string }): Promise<Revision> {
  const end = await git(['ls-remote', '--', remote.address, ref]);
  if (end.kind !== 'done') throw unreachable(remote, end);
  const line = end.text.split('\n').find((one) => one.split('\t')[1] === ref);
  if (line !== undefined) return parseRevision(line.split('\t')[0] ?? '');
  throw new Fault('GIT_UNREACHABLE', `Cannot follow ${withoutSecrets(remote.address)}: it has no ${ref}`, {
    hint: 'Commit something, or name another branch in git.branch of boot.config.yaml',
  });
}

async function fetch(
  git: Git,
  { path, remote, ref, limits }: { path: string; remote: Remote; ref: string; limits: MirrorLimits },
): Promise<Revision> {
  const argv = ['fetch', '--quiet', '--no-tags', '--no-write-fetch-head', '--', remote.address, `+${ref}:${mirrorRef}`];
  const end = await git(argv, limits.fetchMs);
  const from = withoutSecrets(remote.address);
  // The kernel ended what wrote it, of which git tells nothing.
  if (end.kind === 'failed' && (await largestLeftover(path)) >= limits.fetchBytes - 65_536) {
    throw new Fault('GIT_TOO_LARGE', `Cannot fetch ${from}: it is more than ${limits.fetchBytes} bytes`, {
      hint: 'Keep large files elsewhere and name them by url and sha256; this is for definitions',
    });
  }
  if (end.kind === 'too-long') {
    throw new Fault('GIT_TOO_SLOW', `Cannot fetch ${from}: it was not here after ${limits.fetchMs / 1000} s`, {
      hint: 'What was published stays in service; it is tried again by itself, but not at every poll',
    });
  }
  if (end.kind === 'failed' && /fsck|pack has bad object|unpack/.test(end.said)) throw badObjects(from, end.said);
  if (end.kind !== 'done') throw unreachable(remote, end);
  const parsed = await git(['rev-parse', '--verify', '--quiet', `${mirrorRef}^{commit}`]);
  if (parsed.kind === 'done') return parseRevision(parsed.text.trim());
  throw new Fault('GIT_REFUSED', `Cannot follow ${from}: ${ref} is no commit`, {
    hint: 'Name a branch in git.branch of boot.config.yaml',
  });
}

function badObjects(from: string, said: string): Fault {
  const line = said.split('\n').find((one) => /error in|fsck error|bad object/i.test(one)) ?? said.split('\n')[0] ?? '';
  return new Fault(
    'GIT_REFUSED',
    `Cannot fetch ${from}: git refuses an object of it: ${line.replace(/^\w+: /, '').trim()}`,
    {
      hint: 'See "git fsck" in the repository; such objects are made to deceive, or by very old programs',
    },
  );
}

async function hasCommit(git: Git, revision: Revision): Promise<boolean> {
  const end = await git(['rev-parse', '--verify', '--quiet', `${revision}^{commit}`]);
  return end.kind === 'done' && end.text.trim() === revision;
}

function unreachable(remote: Remote, end: GitEnd): Fault {
  return new Fault('GIT_UNREACHABLE', `Cannot follow ${withoutSecrets(remote.address)}: ${reason(end)}`, {
    hint: 'What was published stays in service; it is tried again by itself',
  });
}

function reason(end: GitEnd): string {
  if (end.kind !== 'failed') return 'it did not answer in time';
  const lines = withoutSecrets(end.said).split('\n');
  return (
    (lines.find((one) => /^(remote: )?(fatal|error)/i.test(one)) ?? lines[0] ?? '').trim().slice(0, 500) ||
    'git was ended'
  );
}
