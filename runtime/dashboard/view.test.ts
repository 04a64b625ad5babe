import { describe, expect, it } from 'vitest';
import type { Catalog } from '#bundle/catalog.ts';
import type { Digest, InfoHash, Mac, Revision, SessionId } from '#bundle/digest.ts';
import type { BootSession } from '../boot/session.ts';
import { statusLines } from './status-lines.ts';
import { type StatusSources, statusView } from './view.ts';

const digest = 'a'.repeat(64) as Digest;
const revision = 'c'.repeat(40) as Revision;
const release = {
  name: 'debian',
  arch: 'amd64',
  manifest: { digest, sizeBytes: 10 },
  sizeBytes: 1000,
  torrent: { digest, sizeBytes: 20, infoHash: 'b'.repeat(40) as InfoHash },
} as const;
const catalog: Catalog = {
  ...{ format: 1, site: 'lab', revision, committedAt: '2026-01-01T00:00:00Z', serial: 7, groups: [] },
  bootstraps: [],
  parts: [],
  images: [
    { ...release, title: 'Debian 13', start: { method: 'switch-root', modules: 'none' }, cmdline: '', memoryBytes: 1 },
  ],
  menu: { default: 'debian', timeoutMs: 0, shell: false },
  swarm: { seedBudgetMs: 30_000 },
};
const session: BootSession = {
  ...{ id: '1'.repeat(32) as SessionId, mac: '52:54:00:00:00:01' as Mac, lastSeenMs: 9000, names: [] },
  phases: [
    { name: 'firmware', atMs: 1000 },
    { name: 'download', atMs: 4500 },
  ],
  ...{ doneBytes: 500, totalBytes: 1000, bytesPerSecond: 50, originBytes: 200, httpBytes: 0 },
  ...{ image: 'debian', manifest: digest, address: '10.0.0.9' },
};
const sources: StatusSources = {
  ...{
    site: 'lab',
    nowMs: 10_000,
    catalog,
    conditions: {},
    readiness: { ready: true },
    troubles: [],
    needsRestart: [],
    draining: [],
  },
  sessions: [session],
  fallbacks: [],
};

describe('statusView()', () => {
  it('says what is served and what each node does', () => {
    const status = statusView(sources);
    expect(status).toMatchObject({ ready: true, revision, serial: 7, faults: [] });
    expect(status.images).toEqual([
      {
        ...{
          name: 'debian',
          arch: 'amd64',
          title: 'Debian 13',
          method: 'switch-root',
          digest,
          version: 'aaaaaaaaaaaa',
        },
        ...{ infoHash: 'b'.repeat(40), sizeBytes: 1000 },
      },
    ]);
    expect(status.nodes).toEqual([
      {
        ...{
          mac: session.mac,
          session: session.id,
          phase: 'download',
          result: 'booting',
          address: '10.0.0.9',
          image: 'debian',
        },
        ...{ version: 'aaaaaaaaaaaa', percent: 50, bytesPerSecond: 50, lastSeenMs: 9000 },
        bytes: { origin: 200, peers: 300, http: 0 },
        phases: [
          { name: 'firmware', startedAtMs: 1000, seconds: 3.5, result: 'done' },
          { name: 'download', startedAtMs: 4500, bytes: { origin: 200, peers: 300, http: 0 } },
        ],
      },
    ]);
  });

  it('is not ready before the first catalog, whatever is being built', () => {
    const building = { revision, done: 1, total: 3, name: 'debian' };
    const { catalog: _, ...rest } = sources;
    const status = statusView({ ...rest, readiness: { ready: false, reason: 'nothing' }, conditions: { building } });
    expect(status).toMatchObject({ ready: false, notReady: 'nothing', building, images: [] });
  });

  it('shows why a commit is refused while the one before is served', () => {
    const faults = [{ code: 'X', message: 'Cannot read it', hint: 'Mend it', file: 'a.yaml', line: 3, column: 1 }];
    const conditions = { refused: { kind: 'stalled', revision, sinceMs: 5, faults, attempts: 1 } } as const;
    const status = statusView({ ...sources, conditions });
    expect(status).toMatchObject({ ready: true, refused: { kind: 'stalled', revision, sinceMs: 5 }, faults });
    expect(statusLines(status)).toContain('  a.yaml:3:1: Cannot read it [X]');
  });
});

describe('statusLines()', () => {
  it('lets no control character of a node reach the terminal', () => {
    const fault = { code: 'X', message: '\u001b]0;owned\u0007 and \u009b31m' };
    const text = statusLines(statusView({ ...sources, sessions: [{ ...session, fault }] })).join('\n');
    expect(text).toContain('owned');
    const isControl = (character: string) => character < ' ' || (character > '~' && character < '\u00a0');
    expect([...text.replaceAll('\n', '')].filter(isControl)).toEqual([]);
  });
});
