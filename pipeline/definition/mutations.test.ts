import { inspect } from 'node:util';
import { expect, test } from 'vitest';
import { Fault } from '#bundle/fault.ts';
import { readDefinitions } from './definitions.ts';
import { memoryFiles } from './testdata/memory-files.ts';
import { mutations, rich } from './testdata/mutations.ts';

const all = mutations();

test('readDefinitions() takes the site that is about to be broken', async () => {
  expect((await readDefinitions(memoryFiles(rich))).faults).toEqual([]);
});

test('there are at least 200 ways to break it, each another one', () => {
  expect(all.length).toBeGreaterThanOrEqual(200);
  expect(new Set(all.map(({ changes }) => inspect(changes, { maxStringLength: null }))).size).toBe(all.length);
});

test.each(all.map((one) => [one.title, one] as const))('readDefinitions() refuses %s', async (_, one) => {
  const startMs = performance.now();
  const { definitions, faults } = await readDefinitions(memoryFiles({ ...rich, ...one.changes }));
  expect(definitions).toBeUndefined();
  expect(performance.now() - startMs).toBeLessThan(5000);
  for (const fault of faults) {
    expect(fault).toBeInstanceOf(Fault);
    expect(fault.hint?.length).toBeGreaterThan(5);
    expect(fault.retry).toBe('stalled');
    expect(fault.message.length).toBeLessThan(3000);
  }
  const places = faults.flatMap(({ location }) => (location?.file === one.file ? [location] : []));
  expect(places.length).toBeGreaterThan(0);
  const lineCount = (one.changes[one.file] ?? rich[one.file] ?? '').split('\n').length;
  for (const { line, column } of places) {
    expect(line).toBeLessThanOrEqual(lineCount);
    expect(column).toBeGreaterThanOrEqual(1);
  }
  if (one.lines) expect(one.lines).toContain(places.find(({ line }) => one.lines?.includes(line))?.line);
});
