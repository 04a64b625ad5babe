import { afterAll, expect, test } from 'vitest';
import { openOperations } from './operations.ts';
import { coverage, type Injection, type Outcome, sampled, sweep, tracePoints } from './sweep.ts';

/**
 * Every system call that changes the state directory of a build, a publish, a revert, a garbage collection or a lease
 * write: `kill -9` there, a full disk, a failing one, too many open files. All with BT_TEST=all (of the errors each at a
 * third of the calls), else a sample; BT_SEED chooses another, BT_POINTS how many.
 */
const seed = Number(process.env.BT_SEED ?? 1);
const isAll = process.env.BT_TEST === 'all';
const errors: readonly Injection[] = ['error=ENOSPC', 'error=EIO', 'error=EMFILE'];
const operations = await openOperations();
const points = await tracePoints(operations);
afterAll(() => operations.remove());
const chosen = (few: number, all: number) =>
  sampled(points, { count: Number(process.env.BT_POINTS ?? (isAll ? all : few)), seed });

test('there are at least 1,000 points', () => {
  process.stdout.write(`${points.length} points\n`);
  expect(points.length).toBeGreaterThanOrEqual(1000);
});

test(`killed at any call: old or new, whole, ready at once, and it works when run again (seed ${seed})`, async () => {
  const targets = chosen(60, points.length).map((one) => ({ ...one, injection: 'signal=KILL' }) as const);
  const outcomes = await sweep(targets, operations, { examine: examineKilled });
  process.stdout.write(`${coverage(outcomes).join('\n')}\n`);
  expect(outcomes.length).toBe(targets.length);
}, 1_800_000);

test(`an error at any call: old or new, a message with path and remedy, and it works when run again (seed ${seed})`, async () => {
  const targets = chosen(12, Math.ceil(points.length / 3)).map((one, index) => {
    return { ...one, injection: errors[index % errors.length] as Injection };
  });
  const outcomes = await sweep(targets, operations, { examine: examineFailed });
  process.stdout.write(`${coverage(outcomes).join('\n')}\n`);
  expect(outcomes.length).toBe(targets.length);
}, 1_800_000);

function examineKilled({ ended, target }: Outcome): void {
  // A lock's own child may be the one that was hit: then the builder says so.
  const isChild = target.point.path === 'build.lock';
  if (ended.status !== 'SIGKILL' && !isChild) throw new Error(`it was not killed but ended with ${ended.status}`);
}

/** What failed says where and what can be done; what did not fail did everything. */
function examineFailed({ ended, state }: Outcome, statePath: string): void {
  if (ended.status === 0 && state === 'after') return;
  const lines = ended.stderr.split('\n');
  const at = lines.findIndex((line) => / \[[A-Z_]+\]$/.test(line) && line.includes(statePath));
  const isHinted = /^ {2}[A-Z]/.test(lines[at + 1] ?? '');
  if (ended.status === 1 && at >= 0 && isHinted) return;
  throw new Error(`it ended with ${ended.status} and said: ${ended.stderr || ended.stdout}`);
}
