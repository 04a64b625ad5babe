import { afterAll, expect, test } from 'vitest';
import { openOperations } from './operations.ts';
import { coverage, sampled, sweep, tracePoints } from './sweep.ts';

/**
 * `kill -9` at every system call that changes the state directory: every one with BT_TEST=all, else a sample
 * (BT_SEED chooses another, BT_POINTS how many).
 */
const seed = Number(process.env.BT_SEED ?? 1);
const isAll = process.env.BT_TEST === 'all';
const operations = await openOperations();
afterAll(() => operations.remove());

test(`killed at any call: old or new, whole, ready at once, and it works when run again (seed ${seed})`, async () => {
  const points = await tracePoints(operations);
  expect(points.length).toBeGreaterThan(1000);
  const count = Number(process.env.BT_POINTS ?? (isAll ? points.length : 40));
  const targets = sampled(points, { count, seed }).map((one) => ({ ...one, injection: 'signal=KILL' }) as const);
  const outcomes = await sweep(targets, operations, {
    examine: ({ ended }) => {
      if (ended.status !== 'SIGKILL') throw new Error(`it was not killed but ended with ${ended.status}`);
    },
  });
  process.stdout.write(`${[`${outcomes.length} of ${points.length} points`, ...coverage(outcomes)].join('\n')}\n`);
  expect(outcomes.length).toBe(targets.length);
}, 1_800_000);
