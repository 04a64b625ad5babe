import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { Fault } from '#bundle/fault.ts';

/**
 * What no repository may decide for us: hooks, file system monitors, whose it is. Options of the command line win over
 * the repository's own configuration.
 */
const guards = [
  ['core.hooksPath', '/dev/null'],
  ['core.fsmonitor', 'false'],
  ['core.symlinks', 'false'],
  ['protocol.ext.allow', 'never'],
  // Only objects are read, nothing of the repository runs: whose it is does not matter.
  ['safe.directory', '*'],
].flatMap(([key, value]) => ['-c', `${key}=${value}`]);

const environment = {
  PATH: '/usr/local/bin:/usr/bin:/bin',
  HOME: '/nonexistent',
  LC_ALL: 'C.UTF-8',
  GIT_CONFIG_NOSYSTEM: '1',
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_TERMINAL_PROMPT: '0',
  GIT_NO_REPLACE_OBJECTS: '1',
  GIT_NO_LAZY_FETCH: '1',
  GIT_OPTIONAL_LOCKS: '0',
  GIT_ALLOW_PROTOCOL: 'none',
} as const;

/** A path; in a hook also where git keeps the objects of a push that is not accepted yet. */
export type Repository = string | { readonly path: string; readonly quarantine: Quarantine };

/** Variables of git's own, as a hook `pre-receive` gets them (git-receive-pack(1), "Quarantine environment"). */
export type Quarantine = Readonly<Partial<Record<(typeof quarantineVariables)[number], string>>>;

export const quarantineVariables = [
  'GIT_QUARANTINE_PATH',
  'GIT_OBJECT_DIRECTORY',
  'GIT_ALTERNATE_OBJECT_DIRECTORIES',
] as const;

export function pathOf(repository: Repository): string {
  return typeof repository === 'string' ? repository : repository.path;
}

/** Starts git in a repository, by an argument list and with nothing of the caller's environment. */
export function spawnGit(
  repository: Repository,
  argv: readonly string[],
  more: Readonly<Record<string, string>> = {},
): ChildProcessWithoutNullStreams {
  const quarantine = typeof repository === 'string' ? {} : repository.quarantine;
  return spawn('git', [...guards, '--no-pager', ...argv], {
    cwd: pathOf(repository),
    env: { ...environment, ...quarantine, ...more },
  });
}

export interface GitOptions {
  /** Exit statuses that are answers. Default: only 0. */
  readonly accept?: readonly number[];
  /** Default: 64 MiB. */
  readonly limitBytes?: number;
  /** Then it is killed. Default: one minute. */
  readonly limitMs?: number;
  /** More variables. */
  readonly environment?: Readonly<Record<string, string>>;
}

const defaultLimitBytes = 64 * 1024 * 1024;

/** Runs git to its end and returns what it wrote. @throws Fault `GIT_FAILED`, `GIT_TOO_LARGE` */
export async function runGit(
  repository: Repository,
  argv: readonly string[],
  options: GitOptions = {},
): Promise<Buffer> {
  const { accept = [0], limitBytes = defaultLimitBytes } = options;
  const { status, signal, said, written } = await tryGit(repository, argv, options);
  if (written.length > limitBytes) {
    throw new Fault('GIT_TOO_LARGE', `Cannot run git ${argv[0]}: it gives more than ${limitBytes} bytes`, {
      hint: 'Nothing of such a size belongs among definitions',
      retry: 'stalled',
    });
  }
  if (status !== null && accept.includes(status)) return written;
  const reason = said.trim().slice(0, 500) || `ended by ${signal}`;
  throw new Fault('GIT_FAILED', `Cannot run git ${argv[0]} in ${pathOf(repository)}: ${reason}`);
}

/** How git ended, whatever it says. */
export interface GitResult {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly written: Buffer;
  /** On its standard error. */
  readonly said: string;
}

/** Runs git to its end. @throws Fault `GIT_FAILED` where there is none */
export async function tryGit(
  repository: Repository,
  argv: readonly string[],
  options: GitOptions = {},
): Promise<GitResult> {
  const { limitBytes = defaultLimitBytes, limitMs = 60_000 } = options;
  const child = spawnGit(repository, argv, options.environment);
  const timer = setTimeout(() => child.kill('SIGKILL'), limitMs).unref();
  child.stdin.end();
  const ended = new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  }).catch((cause) => {
    throw new Fault('GIT_FAILED', 'Cannot run git', { cause, hint: 'Install git' });
  });
  const [status, said, written] = await Promise.all([
    ended,
    collect(child.stderr, 64 * 1024),
    collect(child.stdout, limitBytes, () => child.kill('SIGKILL')),
  ]);
  clearTimeout(timer);
  return { status, signal: child.signalCode, said: said.toString(), written };
}

async function collect(stream: AsyncIterable<Buffer>, limitBytes: number, onExcess?: () => void): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  for await (const chunk of stream) {
    sizeBytes += chunk.length;
    // One chunk too many shows that there was more.
    if (sizeBytes - chunk.length <= limitBytes) chunks.push(chunk);
    if (sizeBytes > limitBytes) onExcess?.();
  }
  return Buffer.concat(chunks);
}
