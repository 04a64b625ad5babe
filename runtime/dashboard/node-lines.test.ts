import { describe, expect, it } from 'vitest';
import type { Mac, SessionId } from '#bundle/digest.ts';
import { newLines, nodeStory, nodesTable } from './node-lines.ts';
import type { StatusNode } from './view.ts';

const startMs = Date.UTC(2026, 10, 20, 12, 0, 0);
const node: StatusNode = {
  ...{ mac: '52:54:00:00:00:01' as Mac, session: '1'.repeat(32) as SessionId, address: '10.0.0.9', firmware: 'bios' },
  ...{ phase: 'download', result: 'stalled', stalledSinceMs: startMs + 9000, lastSeenMs: startMs + 9000 },
  ...{ image: 'debian', version: 'aaaaaaaaaaaa', percent: 40, memoryBytes: 2 ** 30, missingDrivers: ['8086:1572'] },
  bytes: { origin: 1_000_000, peers: 3_000_000, http: 0 },
  phases: [
    { name: 'firmware', startedAtMs: startMs, seconds: 4.25, result: 'done' },
    {
      ...{ name: 'download', startedAtMs: startMs + 4250, seconds: 4.75, result: 'stalled' },
      bytes: { origin: 1_000_000, peers: 3_000_000, http: 0 },
    },
  ],
  fallback: { image: 'debian', from: 'bbbbbbbbbbbb', to: 'aaaaaaaaaaaa', failedBoots: 3 },
};
const failed: StatusNode = {
  ...node,
  ...{ phase: 'failed', result: 'failed', fault: { code: 'LOAD_FAILED', message: 'Cannot load' } },
};
const nowMs = startMs + 21_000;

describe('nodesTable()', () => {
  it('has a line a node, in columns', () => {
    expect(nodesTable({ nowMs, nodes: [node] })).toEqual([
      'node               address   firmware  image                phase          since  result   origin   peers    HTTP',
      '52:54:00:00:00:01  10.0.0.9  bios      debian@aaaaaaaaaaaa  download 40 %   17 s  stalled  1.0 MB  3.0 MB  0.0 MB',
    ]);
    expect(nodesTable({ nowMs, nodes: [] })).toEqual(['No node has been switched on yet']);
  });
});

describe('nodeStory()', () => {
  it('tells the newest boot, the log of the one that failed, and the earlier ones', () => {
    const failedLog = {
      session: failed.session,
      atMs: startMs,
      code: 'LOAD_FAILED',
      log: 'kexec: no\u001b[31m memory\n',
    };
    expect(nodeStory({ nowMs, node, earlier: [failed], failedLog })).toEqual([
      '52:54:00:00:00:01  10.0.0.9  bios  debian@aaaaaaaaaaaa  1024 MiB of RAM',
      'fell back to debian@aaaaaaaaaaaa after 3 failed boots of debian@bbbbbbbbbbbb',
      'no driver for 8086:1572',
      `boot of 2026-11-20 12:00:00 UTC  session ${'1'.repeat(32)}`,
      '       0.0 s  firmware           4.3 s  done',
      '       4.3 s  download           4.8 s  stalled  origin 1.0 MB, peers 3.0 MB, HTTP 0.0 MB',
      'stalled in download: not a word for 12 s',
      '',
      'what it said before LOAD_FAILED, 2026-11-20 12:00:00 UTC',
      '  | kexec: no?[31m memory',
      '',
      'earlier boots, newest first (1)',
      '  2026-11-20 12:00:00 UTC  debian@aaaaaaaaaaaa  4.3 s  failed  LOAD_FAILED  origin 1.0 MB, peers 3.0 MB, HTTP 0.0 MB',
    ]);
  });

  it('shows how a program ended', () => {
    const { stalledSinceMs: _, ...rest } = node;
    const ended = { ...rest, phase: 'ended', result: 'ended', exitStatus: 3, output: 'one\ntwo\n' } as const;
    const lines = nodeStory({ nowMs, node: ended, earlier: [] });
    expect(lines.slice(-3)).toEqual(['ended with status 3', '  | one', '  | two']);
  });
});

describe('newLines()', () => {
  it('has the phases that are over and were not told', () => {
    expect(newLines(node, 0)).toHaveLength(1);
    expect(newLines(node, 1)).toEqual([]);
  });
});
