import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { promisify } from 'node:util';
import type { Revision } from '#bundle/digest.ts';
import { Fault } from '#bundle/fault.ts';
import { loadSite } from '#definition/load-site.ts';
import { openMirror } from '../git/mirror.ts';
import { parseRemote } from '../git/remote.ts';
import { programPath } from '../program.ts';
import { folderIn } from '../site-settings.ts';
import { type BuildRequest, parseRequest, requestLimitBytes } from './request.ts';

export interface AnswerOptions {
  readonly configPath: string;
  /** The builder's own: key, store, tools, mirror. */
  readonly statePath: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** The connection: its first line is the request, its end the order to stop. */
  readonly input: Readable;
  /** What a verb is started with. Default: this program, as root of a user namespace. */
  readonly builder?: readonly string[];
  readonly signal: AbortSignal;
}

/** How long a verb that was told to end may take before it and its tools are killed. */
const graceMs = 1500;
const requestTimeoutMs = 10_000;

/**
 * Carries out one request of the daemon, as the user who alone has the key. The verb's output goes to this process's
 * standard output. Nothing is believed of who asks: the commit is fetched here again, and must belong to the followed branch.
 * @returns the verb's exit status
 * @throws Fault `BUILD_REQUEST_INVALID`, `REVISION_NOT_FOLLOWED`, those of the site and its repository
 */
export async function answerRequest(options: AnswerOptions): Promise<number> {
  const request = parseRequest(await firstLine(options.input));
  const stop = AbortSignal.any([options.signal, closing(options.input)]);
  const folder = await mkdtemp(join(tmpdir(), 'boottorrent-request-'));
  try {
    const argv = await argumentsOf(request, { ...options, folder, signal: stop });
    return await runVerb([...(options.builder ?? builderProgram()), ...argv], stop);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function argumentsOf(
  request: BuildRequest,
  options: AnswerOptions & { readonly folder: string },
): Promise<readonly string[]> {
  const place = ['--config', options.configPath, '--state', options.statePath, '--json'];
  switch (request.verb) {
    case 'keygen':
      return ['keygen', ...place];
    case 'gc': {
      const path = join(options.folder, 'in-use');
      await writeFile(path, request.inUse);
      const keep = request.keep === undefined ? [] : ['--keep', String(request.keep)];
      return ['gc', ...place, '--in-use', path, ...keep, ...(request.dryRun ? ['--dry-run'] : [])];
    }
    case 'publish':
    case 'pull':
      return [
        ...[request.verb, ...place, ...(await repositoryOf(request.revision, options))],
        ...(request.acceptHistory ? ['--accept-history'] : []),
      ];
  }
}

/** Where the verb reads the commit: in a mirror that nobody but the builder writes. */
async function repositoryOf(revision: Revision, options: AnswerOptions): Promise<readonly string[]> {
  const { configPath, statePath, environment, signal } = options;
  const { git } = await loadSite(configPath, undefined);
  const remote = await parseRemote(git.remote, configPath);
  const branch = git.branch === undefined ? {} : { branch: git.branch };
  const mirror = await openMirror({ path: join(statePath, 'mirror.git'), remote, ...branch, environment, signal });
  await checkFollowed(mirror.path, revision, await mirror.update());
  const folder = remote.local ? folderIn(remote.address, configPath) : '';
  return ['--repository', mirror.path, '--directory', folder, '--revision', revision];
}

async function checkFollowed(repository: string, revision: Revision, head: Revision): Promise<void> {
  if (revision === head) return;
  const argv = ['-C', repository, 'merge-base', '--is-ancestor', revision, head];
  const isOlder = await promisify(execFile)('git', argv, {
    env: { ...process.env, GIT_CONFIG_GLOBAL: '/dev/null' },
  }).then(
    () => true,
    () => false,
  );
  if (isOlder) return;
  throw new Fault(
    'REVISION_NOT_FOLLOWED',
    `Cannot publish ${revision}: it is not on the branch that the site follows`,
    {
      hint: 'Push it there; the builder signs nothing else',
      retry: 'failed',
    },
  );
}

/**
 * What a verb is started with. It needs root to make root filesystems: a user without privileges becomes root of a
 * user namespace, over the subordinate ids that are his.
 */
function builderProgram(): readonly string[] {
  const namespace = ['unshare', '--user', '--map-auto', '--map-root-user', '--'];
  return [...(process.getuid?.() === 0 ? [] : namespace), process.execPath, programPath];
}

/** In a process group of its own, which ends with this process. */
async function runVerb(argv: readonly string[], signal: AbortSignal): Promise<number> {
  signal.throwIfAborted();
  const call = ['--pdeathsig', 'TERM', '--', ...argv];
  const child = spawn('setpriv', call, { stdio: ['ignore', 'inherit', 'inherit'], detached: true });
  const ended = once(child, 'close');
  const kill = (name: NodeJS.Signals) => {
    try {
      process.kill(-(child.pid as number), name);
    } catch {
      // The group ended in between.
    }
  };
  let late: NodeJS.Timeout | undefined;
  const stop = () => {
    kill('SIGTERM');
    late = setTimeout(kill, graceMs, 'SIGKILL');
  };
  signal.addEventListener('abort', stop, { once: true });
  const [status] = await ended;
  signal.removeEventListener('abort', stop);
  clearTimeout(late);
  return status ?? 1;
}

async function firstLine(input: Readable): Promise<string> {
  const timer = setTimeout(() => input.destroy(new Error('no request came')), requestTimeoutMs);
  try {
    return await readLine(input);
  } finally {
    clearTimeout(timer);
  }
}

function readLine(input: Readable): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    const invalid = (reason: string) => new Fault('BUILD_REQUEST_INVALID', `Cannot take the request: ${reason}`);
    input.setEncoding('utf8');
    input.on('data', (chunk: string) => {
      text += chunk;
      const end = text.indexOf('\n');
      if (end >= 0) resolve(text.slice(0, end));
      else if (text.length > requestLimitBytes) reject(invalid('it is too long'));
    });
    input.once('end', () => reject(invalid('it ended before its first line did')));
    input.once('error', (cause) => reject(invalid(cause.message)));
  });
}

/** Aborts when the other side goes away. */
function closing(input: Readable): AbortSignal {
  const stop = new AbortController();
  if (input.readableEnded || input.destroyed) stop.abort(new Error('the daemon went away'));
  for (const event of ['end', 'close', 'error']) input.once(event, () => stop.abort(new Error('the daemon went away')));
  return stop.signal;
}
