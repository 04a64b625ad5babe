import { spawn } from 'node:child_process';
import type { Readable } from 'node:stream';

export interface BoundGitOptions {
  /** The bare repository; git looks for no other. */
  readonly path: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly limitMs: number;
  /** Of one file that git writes; the kernel ends whoever writes more. */
  readonly fileLimitBytes: number;
  readonly signal?: AbortSignal;
}

/** How git ended. */
export type GitEnd =
  | { readonly kind: 'done'; readonly text: string }
  | { readonly kind: 'failed'; readonly said: string }
  | { readonly kind: 'too-long' };

/** Of what git says or answers: a list of a few refs, or why it failed. */
const outputLimitBytes = 1024 * 1024;

/**
 * git starts ssh, remote helpers and index-pack, and a killed git leaves them behind. So all of them are one process group, with a
 * watcher in it that waits for the end of a pipe: it closes when we say so, and also when we are killed.
 */
const wrapper = `
ulimit -f "$1" && ulimit -c 0 || exit 70
shift
"$@" 3<&- &
git=$!
(read -r _ <&3; kill -KILL 0) </dev/null >/dev/null 2>&1 &
watcher=$!
exec 3<&-
wait "$git"
status=$?
kill -KILL "$watcher"
wait "$watcher" 2>/dev/null
exit "$status"`;

/** Runs one git command that talks to a remote, and whatever it starts, within limits. Never leaves anything behind. */
export async function runBoundGit(argv: readonly string[], options: BoundGitOptions): Promise<GitEnd> {
  const { path, environment, limitMs, fileLimitBytes, signal } = options;
  signal?.throwIfAborted();
  const blocks = String(Math.ceil(fileLimitBytes / 512));
  const child = spawn('/bin/sh', ['-c', wrapper, 'sh', blocks, 'git', `--git-dir=${path}`, ...argv], {
    ...{ cwd: path, env: environment, detached: true },
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
  });
  const leash = child.stdio[3];
  leash?.on('error', () => undefined);
  let isTooLong = false;
  const cut = () => leash?.destroy();
  const timer = setTimeout(() => {
    isTooLong = true;
    cut();
  }, limitMs);
  signal?.addEventListener('abort', cut, { once: true });
  try {
    child.once('exit', () => endGroup(child.pid));
    const ended = new Promise<number | null>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', resolve);
    });
    const [status, text, said] = await Promise.all([
      ended,
      collect(child.stdout as Readable, cut),
      collect(child.stderr as Readable, cut),
    ]);
    signal?.throwIfAborted();
    if (isTooLong) return { kind: 'too-long' };
    if (status === 0) return { kind: 'done', text };
    return { kind: 'failed', said };
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', cut);
    cut();
  }
}

/** Whoever is left of the group when git has ended. */
function endGroup(pid: number | undefined): void {
  try {
    if (pid !== undefined) process.kill(-pid, 'SIGKILL');
  } catch {
    // Nobody is.
  }
}

async function collect(stream: Readable, onExcess: () => void): Promise<string> {
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  for await (const chunk of stream) {
    sizeBytes += chunk.length;
    if (sizeBytes <= outputLimitBytes) chunks.push(chunk);
    else onExcess();
  }
  return Buffer.concat(chunks).toString();
}
