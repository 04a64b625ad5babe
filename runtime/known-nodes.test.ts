import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Mac, SessionId } from '#bundle/digest.ts';
import { openNodes } from './boot/nodes.ts';
import { readKnownNodes } from './known-nodes.ts';
import { openLog } from './log.ts';
import { openNodeStore } from './node-store.ts';

const mac = '52:54:00:00:00:01' as Mac;
let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'bt-known-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

test('readKnownNodes() reads what a runtime has kept of its nodes, while it has the database open', () => {
  const path = join(folder, 'nodes.db');
  const store = openNodeStore(path, openLog({ level: 'silent' }));
  const nodes = openNodes({ newSession: () => '1'.repeat(32) as SessionId, onChange: store.keepSession });
  const dhcp = {
    kind: 'dhcp',
    request: 'discover',
    answer: 'offer',
    speaker: 'firmware',
    firmware: 'uefi-arm64',
  } as const;
  nodes.take({ ...dhcp, atMs: 1, mac });
  const session = '1'.repeat(32) as SessionId;
  const report = { session, mac, phase: 'network', uptimeMs: 1, memoryBytes: 2 ** 30 } as const;
  nodes.take({ kind: 'report', atMs: 2, mac, address: '10.0.0.1', report } as never);
  // What was read before is written with it.
  store.earlier(mac);
  expect(readKnownNodes(path)).toEqual([{ mac, arch: 'arm64', memoryBytes: 2 ** 30 }]);
});

test('readKnownNodes() knows none where there is no database, or no good one', () => {
  expect(readKnownNodes(join(folder, 'none'))).toEqual([]);
  writeFileSync(join(folder, 'nodes.db'), 'damaged');
  expect(readKnownNodes(join(folder, 'nodes.db'))).toEqual([]);
});
