import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { parseRevision, type Revision } from '#bundle/digest.ts';
import type { Retry } from '#bundle/fault.ts';
import type { Log } from './log.ts';
import type { BuildProgress } from './reconcile/follow.ts';
import type { Result, ShownFault } from './reconcile/outcome.ts';

export interface PublishChildOptions {
  /** The builder's verb with all its arguments but `--revision` and `--json`. */
  readonly argv: readonly string[];
  readonly log: Log;
}

/** How long a child that was told to end may take before it and its tools are killed. */
const graceMs = 1500;

/**
 * Builds and publishes a revision in a child process: image tools and the signing key stay out of the process that
 * answers the network. The child ends when this process does, however that comes.
 * @throws the signal's reason when it aborts
 */
export async function publishInChild(
  { argv, log }: PublishChildOptions,
  revision: Revision,
  { signal, onProgress }: { readonly signal: AbortSignal; readonly onProgress: (progress: BuildProgress) => void },
): Promise<Result> {
  signal.throwIfAborted();
  const child = spawnBound([...argv, '--revision', revision, '--json']);
  const closed = new Promise<number | null>((resolve) => child.once('close', resolve));
  const failed = new Promise<Error | undefined>((resolve) => {
    child.once('error', resolve);
    child.once('spawn', () => resolve(undefined));
  });
  const stop = () => endGroup(child, closed);
  signal.addEventListener('abort', stop, { once: true });
  try {
    const cause = await failed;
    if (cause)
      return refused(revision, [{ code: 'BUILD_FAILED', message: `Cannot start the builder: ${cause.message}` }]);
    const [result, said] = await Promise.all([
      readResult(child.stdout as Readable, { revision, log, onProgress }),
      lastLines(child.stderr as Readable, log),
    ]);
    const status = await closed;
    signal.throwIfAborted();
    const message = `Cannot build: the builder ended with ${status ?? child.signalCode}: ${said.join(' / ')}`;
    return result ?? refused(revision, [{ code: 'BUILD_FAILED', message: message.slice(0, 2000) }]);
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

/** Runs a verb to its end for its last JSON line. @throws Error with what it said */
export async function askChild(argv: readonly string[]): Promise<Readonly<Record<string, unknown>>> {
  const child = spawnBound([...argv, '--json']);
  const lines = await Promise.all([allLines(child.stdout as Readable), allLines(child.stderr as Readable)]);
  const last = parseObject(lines[0].at(-1) ?? '');
  if (!last) throw new Error(lines[1].join('\n') || 'it said nothing');
  return last;
}

/** In a process group of its own, so that its tools can be ended with it; ended by the kernel when we are killed. */
function spawnBound(argv: readonly string[]): ChildProcess {
  return spawn('setpriv', ['--pdeathsig', 'TERM', ...argv], { stdio: ['ignore', 'pipe', 'pipe'], detached: true });
}

async function endGroup(child: ChildProcess, closed: Promise<unknown>): Promise<void> {
  const { pid } = child;
  if (pid === undefined) return;
  child.kill('SIGTERM');
  const timer = setTimeout(() => {
    try {
      process.kill(-pid, 'SIGKILL');
    } catch {
      // The group ended in between.
    }
  }, graceMs);
  await closed;
  clearTimeout(timer);
}

async function readResult(
  stdout: Readable,
  { revision, log, onProgress }: { revision: Revision; log: Log; onProgress: (progress: BuildProgress) => void },
): Promise<Result | undefined> {
  let result: Result | undefined;
  for await (const line of createInterface({ input: stdout })) {
    const said = parseObject(line);
    if (said?.kind === 'progress') onProgress(said as unknown as BuildProgress);
    else if (said?.kind === 'warnings') log.warn({ part: 'publish', revision, warnings: said.warnings }, 'warnings');
    else if (said?.kind === 'published') {
      result = { kind: 'published', revision: parseRevision(said.revision), serial: Number(said.serial) };
    } else if (said?.kind === 'faults') result = refused(revision, said.faults as (ShownFault & { retry?: Retry })[]);
  }
  return result;
}

/** One fault that only a person can mend means that trying again is of no use. */
function refused(revision: Revision, faults: readonly (ShownFault & { readonly retry?: Retry })[]): Result {
  const kinds = faults.map((fault) => fault.retry ?? 'failed');
  const retry = (['stalled', 'failed'] as const).find((kind) => kinds.includes(kind)) ?? 'waiting';
  return { kind: 'refused', revision, faults: faults.map(({ retry: _, ...shown }) => shown), retry };
}

async function lastLines(stream: Readable, log: Log): Promise<readonly string[]> {
  const last: string[] = [];
  for await (const line of createInterface({ input: stream })) {
    log.debug({ part: 'publish', line }, 'builder says');
    last.push(line);
    if (last.length > 5) last.shift();
  }
  return last;
}

async function allLines(stream: Readable): Promise<readonly string[]> {
  const lines: string[] = [];
  for await (const line of createInterface({ input: stream })) lines.push(line);
  return lines;
}

function parseObject(line: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
