import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { reportPhases } from '#bundle/boot-report.ts';
import { type Digest, type Mac, parseSessionId, type SessionId } from '#bundle/digest.ts';
import type { BootPhase, BootSession } from '../boot/session.ts';
import { mayGo, swarmNeeds } from './needed.ts';

const os = 'a'.repeat(64) as Digest;
const other = 'b'.repeat(64) as Digest;
const nowMs = 1_000_000;
const idOf = (node: number): SessionId => parseSessionId(String(node).padStart(32, '0'));

/** Node `node` in a phase since `agoMs`, heard of `silentMs` ago. */
function session(node: number, phase: BootPhase, { agoMs = 2000, silentMs = 100, manifest = os } = {}): BootSession {
  return {
    id: idOf(node),
    mac: `52:54:00:00:00:${String(node).padStart(2, '0')}` as Mac,
    lastSeenMs: nowMs - silentMs,
    phases: [{ name: phase, atMs: nowMs - agoMs }],
    names: [],
    manifest,
    ...{ doneBytes: 0, totalBytes: 0, bytesPerSecond: 0, originBytes: 0, httpBytes: 0 },
  };
}

function needOf(sessions: readonly BootSession[], { seededForEver = false } = {}) {
  return swarmNeeds(sessions, { nowMs, manifestOf: (one) => one.manifest, isSeededForEver: () => seededForEver }).get(
    os,
  );
}

const goers = (sessions: readonly BootSession[]) =>
  sessions
    .filter((one) => one.phases[0]?.name === 'seed' && mayGo(needOf(sessions), one.id))
    .map((one) => Number(one.id));

describe('mayGo()', () => {
  it('keeps one node that has everything for each node that misses something', () => {
    expect(goers([session(1, 'seed'), session(2, 'download')])).toEqual([]);
    expect(
      goers([session(1, 'seed', { agoMs: 9 }), session(2, 'seed', { agoMs: 99 }), session(3, 'download')]),
    ).toEqual([2]);
  });

  it('lets go first who waited longest', () => {
    const seeders = [1, 2, 3, 4].map((node) => session(node, 'seed', { agoMs: node * 1000 }));
    expect(goers([...seeders, session(5, 'download'), session(6, 'script')])).toEqual([3, 4]);
  });

  it.each(['firmware', 'nbp', 'script', 'kernel', 'network', 'ticket', 'verify-catalog', 'download'] as const)(
    'waits for a node in phase %s',
    (phase) => expect(goers([session(1, 'seed'), session(2, phase)])).toEqual([]),
  );

  it('does not wait for a person, for a node that failed, and for one that fell silent', () => {
    const others = [session(2, 'menu'), session(3, 'failed'), session(4, 'download', { silentMs: 10_001 })];
    expect(goers([session(1, 'seed'), ...others, session(5, 'kernel', { silentMs: 60_001 })])).toEqual([1]);
  });

  it('does not wait for nodes of another image', () => {
    expect(goers([session(1, 'seed'), session(2, 'download', { manifest: other })])).toEqual([1]);
  });

  it('counts nodes that check their files, and nodes that seed for ever', () => {
    const missing = session(2, 'download');
    expect(goers([session(1, 'seed'), missing, session(3, 'verify-files', { agoMs: 5 })])).toEqual([1]);
    const running = [session(1, 'seed'), missing, session(3, 'up', { silentMs: 70_000 })];
    expect(mayGo(needOf(running, { seededForEver: true }), idOf(1))).toBe(true);
    expect(mayGo(needOf(running), idOf(1))).toBe(false);
  });

  it('lets everybody go when nobody misses anything, and keeps as many as there are to feed', () => {
    const phases = ['firmware', 'nbp', 'script', 'kernel', ...reportPhases] as const;
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...phases), { maxLength: 30 }), (names) => {
        const sessions = names.map((phase, node) => session(node, phase));
        const need = needOf(sessions);
        const seeders = sessions.filter((one) => one.phases[0]?.name === 'seed');
        const gone = seeders.filter((one) => mayGo(need, one.id));
        const missingCount = need?.missingCount ?? 0;
        if (missingCount === 0) expect(gone).toEqual(seeders);
        else
          expect((need?.leaving.length ?? 0) - gone.length).toBeGreaterThanOrEqual(
            Math.min(missingCount, seeders.length),
          );
      }),
    );
  });
});
