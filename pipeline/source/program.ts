import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { Fault } from '#bundle/fault.ts';
import type { LogLine } from './source.ts';

export interface ProgramOptions {
  readonly cwd?: string;
  /** The whole environment; default: {@link plainEnvironment}. */
  readonly env?: Readonly<Record<string, string>>;
  readonly log?: LogLine;
  readonly signal?: AbortSignal;
  /** What a failure is called. Default: `PROGRAM_FAILED`, `Cannot run <program>`. */
  readonly failure?: { readonly code: string; readonly message: string; readonly hint?: string };
}

/** The environment of every program of a build: nothing of the caller's gets into its result. */
export const plainEnvironment: Readonly<Record<string, string>> = {
  PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
  LANG: 'C.UTF-8',
  LC_ALL: 'C.UTF-8',
  TZ: 'UTC',
  HOME: '/nonexistent',
  DEBIAN_FRONTEND: 'noninteractive',
};

/**
 * Runs a program to its end and returns its standard output. It is killed when `signal` aborts, and by the kernel
 * when this process dies in whatever way (PR_SET_PDEATHSIG).
 * @throws Fault with the code of `failure` and the last lines that the program said; the signal's reason when aborted
 */
export async function runProgram(argv: readonly string[], options: ProgramOptions = {}): Promise<string> {
  const { signal, log } = options;
  signal?.throwIfAborted();
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', '--', ...argv], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...(options.env ?? plainEnvironment) },
    ...(options.cwd !== undefined && { cwd: options.cwd }),
  });
  const kill = (): void => void child.kill('SIGKILL');
  signal?.addEventListener('abort', kill, { once: true });
  const tail: string[] = [];
  const ended = new Promise<number | string>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (status, killedBy) => resolve(status ?? killedBy ?? 'unknown'));
  });
  try {
    const [status, stdout] = await Promise.all([
      ended,
      collect(child.stdout),
      followLines(child.stderr, (line) => {
        log?.(line);
        if (tail.push(line) > 12) tail.shift();
      }),
    ]);
    signal?.throwIfAborted();
    if (status !== 0) throw programFault(argv, { status, said: [...tail, ...lastLines(stdout)], options });
    return stdout;
  } finally {
    signal?.removeEventListener('abort', kill);
  }
}

async function collect(stream: Readable): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks).toString('utf8');
}

async function followLines(stream: Readable, each: LogLine): Promise<void> {
  for await (const line of createInterface({ input: stream })) if (line.trim() !== '') each(line);
}

function lastLines(text: string): string[] {
  return text.trimEnd().slice(-1000).split('\n').slice(-5);
}

function programFault(
  argv: readonly string[],
  end: { status: number | string; said: readonly string[]; options: ProgramOptions },
): Fault {
  const { code = 'PROGRAM_FAILED', message = `Cannot run ${argv[0]}`, hint } = end.options.failure ?? {};
  const said = end.said.filter((line) => line !== '').join('\n  ');
  const cause = new Error(`${argv[0]} ended with ${end.status}${said && `, its last lines:\n  ${said}`}`);
  return new Fault(code, message, { cause, ...(hint !== undefined && { hint }) });
}
