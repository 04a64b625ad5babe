import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Digest, Mac, SessionId } from '#bundle/digest.ts';
import { openNodes } from './boot/nodes.ts';
import { openLog } from './log.ts';
import { openNodeStore, sessionsKept } from './node-store.ts';

const mac = '52:54:00:00:00:01' as Mac;
const log = openLog({ level: 'silent' });
let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'bt-nodes-'));
});
afterEach(() => rmSync(folder, { recursive: true }));
const open = () => openNodeStore(join(folder, 'nodes.db'), log);

/** A table that writes to a store, as the runtime has it; each script at least 20 minutes later is a new boot. */
function boots(store: ReturnType<typeof open>, times: number, node = mac) {
  let last = 0;
  const newSession = () => `${node.at(-1)}${(++last).toString(16).padStart(31, '0')}` as SessionId;
  const table = openNodes({ newSession, onChange: store.keepSession, limit: 2 });
  for (let boot = 0; boot < times; boot++) {
    table.take({
      kind: 'script',
      atMs: boot * 1200_000,
      mac: node,
      address: '10.0.0.1',
      bootstrap: '0'.repeat(64) as Digest,
    });
  }
  return table;
}

async function close(store: ReturnType<typeof open>): Promise<void> {
  await store.run(AbortSignal.abort());
}

test('openNodeStore() keeps the newest session of a node and the 19 before it over a restart', async () => {
  const store = open();
  const table = boots(store, 30);
  await close(store);
  const again = open();
  expect(again.newest()).toEqual(table.list());
  const earlier = again.earlier(mac).map((session) => session.phases[0]?.atMs);
  expect(earlier).toHaveLength(sessionsKept - 1);
  expect(earlier.slice(0, 2)).toEqual([28 * 1200_000, 27 * 1200_000]);
});

test('openNodeStore() has what was written when the process is killed', () => {
  const store = open();
  const table = boots(store, 2);
  // Reading the sessions of a node writes what is waiting; nothing is closed, as after a kill -9.
  expect(store.earlier(mac)).toHaveLength(1);
  const other = open();
  expect(other.newest()).toEqual(table.list());
  expect(other.earlier(mac)).toHaveLength(1);
});

test('openNodeStore() forgets a node that made room for others, with its records', async () => {
  const store = open();
  const table = boots(store, 3);
  for (const last of ['2', '3']) {
    table.take({ kind: 'script', atMs: 4e6, mac: `52:54:00:00:00:0${last}` as Mac, address: `10.0.0.${last}` });
  }
  expect(store.earlier(mac)).toEqual([]);
  await close(store);
  expect(
    open()
      .newest()
      .map((session) => session.mac.at(-1)),
  ).toEqual(['2', '3']);
});

test('openNodeStore() keeps one log, one choice a node, and a record per image, at once', () => {
  const store = open();
  for (const code of ['A', 'B']) store.keepLog(mac, { session: 's', atMs: 1, code, log: `${code} said` });
  store.keepChoice({ mac, image: 'disk', atMs: 5 });
  const record = { mac, image: 'debian', failed: [], good: [] };
  store.keepRecord(record);
  const other = open();
  expect(other.logOf(mac)).toMatchObject({ code: 'B', log: 'B said' });
  expect(other.choices()).toEqual([{ mac, image: 'disk', atMs: 5 }]);
  expect(other.records()).toEqual([record]);
  other.dropChoice(mac);
  other.dropRecords(mac);
  expect([open().choices(), open().records()]).toEqual([[], []]);
});

test('openNodeStore() begins anew where the file is damaged', async () => {
  writeFileSync(join(folder, 'nodes.db'), 'no database'.repeat(1000));
  const store = open();
  boots(store, 1);
  await close(store);
  expect(open().newest()).toHaveLength(1);
  expect(readdirSync(folder)).toContain('nodes.db');
});
