import { appendFile, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Revision } from '#bundle/digest.ts';
import { openLog } from '../log.ts';
import { parseCommit } from './commit.ts';
import { formatEvent, historyEvent } from './event.ts';
import { openHistory, readHistory } from './file.ts';
import { historyLines } from './lines.ts';

const revision = 'c'.repeat(40) as Revision;
const commit = { author: 'Ada', subject: 'boot the new kernel' };
const faults = [
  { code: 'KEY_UNKNOWN', message: 'Cannot read cmdlin', file: 'images/x/image.yaml', line: 3, column: 1 },
] as const;
const published = (serial: number) =>
  historyEvent({ result: { kind: 'published', revision, serial }, commit, atMs: 0, seconds: 1.2345 });
const refused = historyEvent({
  result: { kind: 'refused', revision, faults, retry: 'stalled' },
  commit,
  atMs: 60_000,
  seconds: 0.5,
});
const log = openLog({ level: 'silent' });

let folder = '';
let path = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bt-history-'));
  path = join(folder, 'history.jsonl');
});
afterEach(() => rm(folder, { recursive: true, force: true }));

test('add() keeps commit, author, serial, result and seconds, also for a later process', async () => {
  const history = await openHistory(path, log);
  await history.add(published(7));
  await history.add(refused);
  const events = await readHistory(path);
  expect(events).toEqual([
    { at: '1970-01-01T00:00:00.000Z', result: 'published', revision, ...commit, serial: 7, seconds: 1.235 },
    { at: '1970-01-01T00:01:00.000Z', result: 'refused', revision, ...commit, seconds: 0.5, faults },
  ]);
  expect((await openHistory(path, log)).lastSerial()).toBe(7);
});

test('add() leaves out what the last event said already: a try that is repeated', async () => {
  const history = await openHistory(path, log);
  await history.add(refused);
  await history.add({ ...refused, at: '2026-01-01T00:00:00.000Z' });
  await (await openHistory(path, log)).add(refused);
  expect(await readHistory(path)).toHaveLength(1);
  await history.add(published(8));
  await history.add(refused);
  expect(await readHistory(path)).toHaveLength(3);
});

test('a line that a crash has torn, at any byte, takes no other with it', async () => {
  const line = `${formatEvent(published(8))}\n`;
  for (let cut = 0; cut <= line.length; cut += 7) {
    await writeFile(path, `${formatEvent(published(7))}\n${line.slice(0, cut)}`);
    await (await openHistory(path, log)).add(published(9));
    const serials = (await readHistory(path)).map(({ serial }) => serial);
    expect(serials.filter((serial) => serial !== 8)).toEqual([7, 9]);
  }
});

test('the file stays below its limit, and keeps the newest', async () => {
  await writeFile(path, '');
  const long = formatEvent({ ...published(1), subject: 'x'.repeat(900) });
  await appendFile(path, `${long}\n`.repeat(2100));
  await (await openHistory(path, log)).add(published(2));
  expect((await stat(path)).size).toBeGreaterThan(1e6);
  await writeFile(path, (await readFile(path, 'utf8')) + `${long}\n`.repeat(2100));
  await (await openHistory(path, log)).add(published(3));
  expect((await stat(path)).size).toBeLessThan(2 * 1024 * 1024);
  expect((await readHistory(path)).at(-1)?.serial).toBe(3);
});

test('a disk that takes nothing loses the event, and nothing else', async () => {
  const history = await openHistory(path, log);
  await rm(folder, { recursive: true });
  await history.add(published(1));
  expect(history.lastSerial()).toBe(1);
});

test('parseCommit() gives author and subject of a commit, on one line each and without control characters', () => {
  const head = `tree ${'a'.repeat(40)}\nauthor Ada \u001b[31m<ada@example.org> 1700000000 +0100\ncommitter x <y> 1 +0000`;
  expect(parseCommit(`${head}\n\nFirst\u0007 line\nsecond`)).toEqual({ author: 'Ada  [31m', subject: 'First  line' });
  expect(parseCommit('')).toEqual({ author: '', subject: '' });
  expect(parseCommit(`${head}\n\nauthor Eve <e> 1 +0`).author).toBe('Ada  [31m');
  expect(parseCommit(`${head}\n\n${'x'.repeat(1000)}`).subject).toHaveLength(200);
});

test('historyLines() shows the newest first, each fault with its place', () => {
  expect(historyLines([published(7), refused])).toEqual([
    '1970-01-01 00:01:00  refused    cccccccccccc                         0.5 s  Ada: boot the new kernel',
    '    images/x/image.yaml:3:1: Cannot read cmdlin [KEY_UNKNOWN]',
    '1970-01-01 00:00:00  published  cccccccccccc  catalog 7              1.2 s  Ada: boot the new kernel',
  ]);
  expect(historyLines([])).toEqual(['Nothing was published or refused yet']);
});
