import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type SimpleGit, simpleGit } from 'simple-git';
import { parseRevision, type Revision } from '#bundle/digest.ts';
import { Fault } from '#bundle/fault.ts';
import { type Remote, withoutSecrets } from './remote.ts';

export interface MirrorOptions {
  /** Bare repository, made when it is missing. */
  readonly path: string;
  readonly remote: Remote;
  /** Absent: the remote's HEAD. */
  readonly branch?: string;
  /** Of it git is passed the search path, the home folder and agent for ssh, and proxies. */
  readonly environment: Environment;
  readonly signal?: AbortSignal;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** A bare copy of the repository: its content is only ever read as objects, never checked out. */
export interface Mirror {
  readonly path: string;
  /** Asks the remote for its newest commit, and fetches it when it is not here yet. @throws Fault `GIT_UNREACHABLE` */
  update(): Promise<Revision>;
}

const mirrorRef = 'refs/boottorrent/head';

/** @throws Fault `GIT_UNREACHABLE` */
export async function openMirror({ path, remote, branch, environment, signal }: MirrorOptions): Promise<Mirror> {
  if (branch !== undefined && !/^[\w][\w./+@-]*$/.test(branch)) {
    throw new Fault('CONFIG_INVALID', `Cannot follow branch ${JSON.stringify(branch)}: it is no branch name`);
  }
  await mkdir(path, { recursive: true });
  const configPath = join(dirname(path), 'git.config');
  await writeFile(configPath, guards(remote), { mode: 0o600 });
  const git = guardedGit(path, { configPath, environment, ...(signal && { signal }) });
  const ref = branch === undefined ? 'HEAD' : `refs/heads/${branch}`;
  await attempt(remote, () => git.init(true));
  return { path, update: () => attempt(remote, () => update(git, { remote, ref })) };
}

async function update(git: SimpleGit, { remote, ref }: { remote: Remote; ref: string }): Promise<Revision> {
  const listed = await git.raw(['ls-remote', '--', remote.address, ref]);
  const name = listed.split('\t')[0] ?? '';
  if (name === '') {
    throw new Fault('GIT_UNREACHABLE', `Cannot follow ${withoutSecrets(remote.address)}: it has no ${ref}`, {
      hint: 'Commit something, or name another branch in git.branch of boot.config.yaml',
    });
  }
  const revision = parseRevision(name);
  if (await hasCommit(git, revision)) return revision;
  await git.raw(['fetch', '--no-tags', '--no-write-fetch-head', '--', remote.address, `+${ref}:${mirrorRef}`]);
  return parseRevision((await git.raw(['rev-parse', '--verify', `${mirrorRef}^{commit}`])).trim());
}

/** By the output: simple-git takes a git that fails without a word for one that succeeded. */
async function hasCommit(git: SimpleGit, revision: Revision): Promise<boolean> {
  return (await git.raw(['rev-parse', '--verify', '--quiet', `${revision}^{commit}`])).trim() === revision;
}

/**
 * The only configuration that git reads here, for this process and for the one that it starts in a local remote:
 * no hook or command of anybody's, no transport but the wanted one, no check of ownership for a repository that the
 * operator named, and an end to a connection that hangs (git's own: a killed git would leave its child behind).
 */
function guards(remote: Remote): string {
  const quoted = (text: string) => JSON.stringify(text);
  const owned = remote.local ? [remote.address, remote.local.gitPath, remote.local.commonPath] : [];
  return [
    '[safe]',
    ...owned.map((path) => `directory = ${quoted(path)}`),
    '[protocol]',
    'allow = never',
    ...(remote.local ? ['file'] : ['https', 'ssh']).flatMap((name) => [`[protocol "${name}"]`, 'allow = always']),
    '[core]',
    'hooksPath = /dev/null',
    'fsmonitor = false',
    'symlinks = false',
    '[fetch]',
    'fsckObjects = true',
    'recurseSubmodules = false',
    '[gc]',
    'auto = 0',
    '[maintenance]',
    'auto = false',
    '[http]',
    'lowSpeedLimit = 1',
    'lowSpeedTime = 10',
    'followRedirects = initial',
    '',
  ].join('\n');
}

function guardedGit(
  path: string,
  { configPath, environment, signal }: { configPath: string; environment: Environment; signal?: AbortSignal },
): SimpleGit {
  const fixed = { GIT_CONFIG_NOSYSTEM: '1', GIT_CONFIG_GLOBAL: configPath, GIT_TERMINAL_PROMPT: '0', LC_ALL: 'C' };
  const kept = ['PATH', 'HOME', 'SSH_AUTH_SOCK', 'https_proxy', 'HTTPS_PROXY', 'no_proxy', 'NO_PROXY'];
  const passed = Object.fromEntries(kept.flatMap((key) => (environment[key] ? [[key, environment[key]]] : [])));
  return simpleGit(path, {
    allowEnvironment: ['GIT_CONFIG_NOSYSTEM', 'GIT_CONFIG_GLOBAL', 'GIT_TERMINAL_PROMPT'],
    unsafe: { allowUnsafeConfigPaths: true },
    maxConcurrentProcesses: 1,
    timeout: { block: 120_000 },
    ...(signal && { abort: signal }),
  }).env({ ...passed, ...fixed });
}

async function attempt<T>(remote: Remote, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    if (cause instanceof Fault) throw cause;
    const said = withoutSecrets(cause instanceof Error ? cause.message : String(cause));
    const line = said.split('\n').find((one) => /fatal|error/i.test(one)) ?? said.split('\n')[0];
    throw new Fault('GIT_UNREACHABLE', `Cannot follow ${withoutSecrets(remote.address)}: ${line?.trim()}`, {
      hint: 'What was published stays in service; it is tried again by itself',
    });
  }
}
