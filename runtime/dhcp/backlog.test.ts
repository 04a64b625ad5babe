import { expect, test } from 'vitest';
import { parseMac } from '#bundle/digest.ts';
import { openBacklog } from './backlog.ts';
import type { LeaseChange } from './lease.ts';

const change: LeaseChange = { kind: 'drop', mac: parseMac('52:54:00:00:00:01') };

test('openBacklog() acts on a change only when it is on disk, and writes together what came meanwhile', async () => {
  const seen: string[] = [];
  const writes: (() => void)[] = [];
  const write = (changes: readonly LeaseChange[]) => {
    seen.push(`write ${changes.length}`);
    return new Promise<void>((resolve) => writes.push(resolve));
  };
  const backlog = openBacklog(write, () => seen.push('failed'));
  for (const name of ['a', 'b', 'c']) backlog.add(change, () => seen.push(`${name} on disk`));
  expect(seen).toEqual(['write 1']);
  writes.shift()?.();
  await new Promise((resolve) => setImmediate(resolve));
  expect(seen).toEqual(['write 1', 'a on disk', 'write 2']);
  writes.shift()?.();
  await backlog.drained();
  expect(seen).toEqual(['write 1', 'a on disk', 'write 2', 'b on disk', 'c on disk']);
});

test('openBacklog() forgets what waited for a write that failed, and goes on', async () => {
  const seen: string[] = [];
  let isBroken = true;
  const write = async () => {
    if (isBroken) throw new Error('disk full');
  };
  const backlog = openBacklog(write, () => seen.push('failed'));
  backlog.add(change, () => seen.push('a'));
  await backlog.drained();
  isBroken = false;
  backlog.add(change, () => seen.push('b'));
  await backlog.drained();
  expect(seen).toEqual(['failed', 'b']);
});

test('openBacklog() refuses more than it can hold', () => {
  const backlog = openBacklog(
    () => new Promise(() => {}),
    () => {},
  );
  const taken = Array.from({ length: 5000 }, () => backlog.add(change)).filter((isTaken) => isTaken);
  expect(taken.length).toBe(4097);
});
