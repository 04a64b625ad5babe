import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { Fault } from '#bundle/fault.ts';

/**
 * Runs `work` while nobody else, in this process or another, holds the lock on `path`; waits for its turn. The lock is
 * flock(2), held by a child until our end of its pipe closes: a kill -9 of this process frees it too.
 * @throws Fault `LOCK_FAILED`; the signal's reason; whatever `work` throws
 */
export async function withFileLock<T>(path: string, work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
  signal?.throwIfAborted();
  await mkdir(dirname(path), { recursive: true });
  const holder = spawn('flock', ['--exclusive', path, 'sh', '-c', 'echo locked; exec cat >/dev/null'], {
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  holder.stdin.on('error', () => undefined);
  const closed = once(holder, 'close');
  closed.catch(() => undefined);
  try {
    await obtained(holder, { path, closed, signal });
    return await work();
  } finally {
    holder.stdin.end();
    await closed.catch(() => undefined);
  }
}

async function obtained(
  holder: ChildProcessByStdio<Writable, Readable, null>,
  { path, closed, signal }: { path: string; closed: Promise<unknown[]>; signal: AbortSignal | undefined },
): Promise<void> {
  const stopWaiting = (): void => void holder.kill();
  signal?.addEventListener('abort', stopWaiting, { once: true });
  if (signal?.aborted) stopWaiting();
  try {
    const [first] = await Promise.race([once(holder.stdout, 'data'), closed]);
    signal?.throwIfAborted();
    if (!Buffer.isBuffer(first))
      throw new Fault('LOCK_FAILED', `Cannot lock ${path}: flock ended with ${first}`, {
        hint: 'Look for a full or read-only disk under the state directory',
      });
  } finally {
    signal?.removeEventListener('abort', stopWaiting);
  }
}
