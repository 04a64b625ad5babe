import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { withFileLock } from './file-lock.ts';

let directory = '';
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'boottorrent-lock-'));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

it('withFileLock() lets one at a time in', async () => {
  let inside = 0;
  const seen: number[] = [];
  const work = () =>
    withFileLock(join(directory, 'one'), async () => {
      inside += 1;
      await new Promise((resolve) => setTimeout(resolve, 10));
      seen.push(inside);
      inside -= 1;
    });
  await Promise.all(Array.from({ length: 5 }, work));
  expect(seen).toEqual([1, 1, 1, 1, 1]);
});

it('withFileLock() is free after the work failed', async () => {
  const path = join(directory, 'two');
  await expect(withFileLock(path, () => Promise.reject(new Error('broken')))).rejects.toThrow('broken');
  expect(await withFileLock(path, () => Promise.resolve('free'))).toBe('free');
});

it('withFileLock() is free after its process was killed', async () => {
  const path = join(directory, 'three');
  const program = `
    const { withFileLock } = await import(${JSON.stringify(new URL('file-lock.ts', import.meta.url).href)});
    await withFileLock(${JSON.stringify(path)}, () => new Promise(() => { console.log('held'); setInterval(() => {}, 1000); }));`;
  const holder = spawn(process.execPath, ['--input-type=module', '--eval', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(holder.stdout, 'data');
  const waiting = withFileLock(path, () => Promise.resolve('free'), AbortSignal.timeout(20_000));
  holder.kill('SIGKILL');
  expect(await waiting).toBe('free');
});

it('withFileLock() stops waiting when it is told to', async () => {
  const path = join(directory, 'four');
  const stop = new AbortController();
  await withFileLock(path, async () => {
    const waiting = withFileLock(path, () => Promise.resolve('wrong'), stop.signal);
    stop.abort(new Error('enough'));
    await expect(waiting).rejects.toThrow('enough');
  });
});
