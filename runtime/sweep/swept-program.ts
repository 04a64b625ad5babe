import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { mutatingCalls, type Place, type Point, pathIn } from './trace.ts';

export interface SweptOptions {
  readonly argv: readonly string[];
  readonly statePath: string;
  /** File of strace's log. */
  readonly logPath: string;
  /** Absent: every call is only traced. `how`: in strace's words. */
  readonly inject?: { readonly point: Point; readonly how: string };
}

export interface Ended {
  /** Exit status, or the signal that ended it. */
  readonly status: number | string;
  readonly stdout: string;
  readonly stderr: string;
  readonly log: string;
  readonly place: Place;
}

const gate = fileURLToPath(new URL('gate.mjs', import.meta.url));
const patienceMs = 20_000;
/** One moment for all runs of a sweep: the serial is in the catalog, and its digest is a path. */
const clockMs = Date.now() + 60_000;

/**
 * Runs a Node program from a gate on, with strace attached to all its threads and children: nothing of its start is
 * counted. One worker thread, so that calls come in the same order each time.
 */
export async function runSwept({ argv, statePath, logPath, inject }: SweptOptions): Promise<Ended> {
  const env = { ...process.env, UV_THREADPOOL_SIZE: '1', NO_COLOR: '1', SWEEP_CLOCK_MS: String(clockMs) };
  const child = spawn(process.execPath, ['--import', gate, ...argv], { stdio: ['pipe', 'pipe', 'pipe'], env });
  const timer = setTimeout(() => child.kill('SIGKILL'), patienceMs);
  const said = { stdout: '', stderr: '' };
  child.stderr.on('data', (chunk) => (said.stderr += chunk));
  const closed = new Promise<number | string>((resolve) =>
    child.once('close', (status, signal) => resolve(status ?? signal ?? 'nothing')),
  );
  await new Promise<void>((resolve) => {
    child.once('close', () => resolve());
    child.stdout.on('data', (chunk) => {
      said.stdout += chunk;
      if (said.stdout.startsWith('gate\n')) resolve();
    });
  });
  const place = { statePath, pid: child.pid ?? 0 };
  const only = inject && ['-P', pathIn(inject.point, place), '-e', `inject=${inject.point.name}:${inject.how}`];
  const strace = await attach(place.pid, { logPath, more: only ?? [] });
  child.stdin.on('error', () => undefined);
  child.stdin.end('\n');
  const [status] = await Promise.all([closed, strace.ended]);
  clearTimeout(timer);
  const stdout = said.stdout.slice('gate\n'.length);
  return { status, stdout, stderr: said.stderr, log: readFileSync(logPath, 'utf8'), place };
}

/** Runs the same program without anybody looking. */
export async function runPlain(argv: readonly string[]): Promise<Pick<Ended, 'status' | 'stdout' | 'stderr'>> {
  const child = spawn(process.execPath, argv, { stdio: ['ignore', 'pipe', 'pipe'] });
  const said = { stdout: '', stderr: '' };
  child.stdout.on('data', (chunk) => (said.stdout += chunk));
  child.stderr.on('data', (chunk) => (said.stderr += chunk));
  const status = await new Promise<number | string>((resolve) =>
    child.once('close', (code, signal) => resolve(code ?? signal ?? 'nothing')),
  );
  return { status, ...said };
}

/** Attaches strace to a process. @returns a promise of its end, when it is attached */
async function attach(
  pid: number,
  { logPath, more }: { readonly logPath: string; readonly more: readonly string[] },
): Promise<{ readonly ended: Promise<void> }> {
  const argv = ['-f', '-y', '-s', '16', '-o', logPath, '-e', `trace=${mutatingCalls.join(',')}`, ...more];
  const strace = spawn('strace', [...argv, '-p', String(pid)], { stdio: ['ignore', 'ignore', 'pipe'] });
  const ended = new Promise<void>((resolve) => strace.once('close', () => resolve()));
  let said = '';
  await new Promise<void>((resolve, reject) => {
    strace.stderr.on('data', (chunk) => {
      said += chunk;
      if (said.includes(' attached')) resolve();
    });
    strace.once('error', reject);
    strace.once('close', () => reject(new Error(`strace ended: ${said}`)));
  });
  return { ended };
}
