import { expect, test } from 'vitest';
import { concurrently } from './concurrently.ts';

test('concurrently() gives results in order and keeps to its limit', async () => {
  let running = 0;
  let most = 0;
  const task = (value: number) => async () => {
    most = Math.max(most, ++running);
    for (let turn = 0; turn < 5 - value; turn++) await Promise.resolve();
    running--;
    return value;
  };
  expect(await concurrently([0, 1, 2, 3, 4].map(task), { limit: 2 })).toEqual([0, 1, 2, 3, 4]);
  expect(most).toBe(2);
});

test('concurrently() aborts the others when one fails, waits for them, starts no more, and throws the first error', async () => {
  const seen: string[] = [];
  const untilAborted = (signal: AbortSignal) =>
    new Promise<void>((_, reject) => {
      signal.addEventListener('abort', () => {
        seen.push('aborted');
        reject(new Error('second'));
      });
    });
  const fails = () => Promise.reject(new Error('first'));
  const never = async () => void seen.push('started');
  await expect(concurrently<void>([untilAborted, fails, never], { limit: 2 })).rejects.toThrow('first');
  expect(seen).toEqual(['aborted']);
});

test('concurrently() ends with the reason of the signal', async () => {
  const stop = new AbortController();
  const task = async () => stop.abort(new Error('stopped'));
  await expect(concurrently([task, task], { limit: 1, signal: stop.signal })).rejects.toThrow('stopped');
});
