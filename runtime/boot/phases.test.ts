import { describe, expect, it, test } from 'vitest';
import type { ReportPhase } from '#bundle/boot-report.ts';
import type { Digest, Mac, SessionId } from '#bundle/digest.ts';
import type { BootEvent } from './event.ts';
import { bootResult, phaseTimes, stalledSinceMs } from './phases.ts';
import { advance, type BootSession, isOverdue, openSession } from './session.ts';

const mac = '52:54:00:00:00:01' as Mac;
const id = '1'.repeat(32) as SessionId;
const address = '10.0.0.9';
const digest = 'a'.repeat(64) as Digest;
const release = { identity: digest, manifest: digest, catalog: digest, signature: digest };

function report(atMs: number, phase: ReportPhase, more = {}): BootEvent {
  return { kind: 'report', atMs, address, report: { session: id, mac, phase, uptimeMs: 0, ...more } };
}
function ticket(atMs: number, heartbeatMs?: number): BootEvent {
  const about = { session: id, mac, address, image: 'debian', manifests: [digest], release };
  return { kind: 'ticket', atMs, ...about, ...(heartbeatMs !== undefined && { heartbeatMs }) };
}
const sent = (atMs: number, kind: 'blob' | 'origin', sentBytes: number) =>
  ({ kind, atMs, address, sentBytes, name: 'rootfs', infoHash: digest }) as unknown as BootEvent;
const overdue = (atMs: number): BootEvent => ({ kind: 'overdue', atMs, session: id, mac });

function session(...events: readonly BootEvent[]): BootSession {
  const script: BootEvent = { kind: 'script', atMs: 0, mac, address, bootstrap: digest };
  return events.reduce(advance, openSession(id, mac, script));
}

describe('phaseTimes()', () => {
  it('tells start, seconds, result and the bytes of each download by source', () => {
    const fault = { code: 'LOAD_FAILED', message: 'no' };
    const told = session(
      ...[ticket(500), report(1000, 'download', { doneBytes: 0, totalBytes: 100 }), sent(1500, 'origin', 30)],
      ...[sent(1600, 'blob', 10), report(3000, 'download', { doneBytes: 100 }), report(4000, 'load')],
      ...[report(4500, 'failed', { fault }), report(9500, 'ticket')],
    );
    expect(phaseTimes(told, { nowMs: 9500 })).toEqual([
      { name: 'script', startedAtMs: 0, seconds: 1, result: 'done' },
      { name: 'download', startedAtMs: 1000, seconds: 3, result: 'done', bytes: { origin: 30, peers: 60, http: 10 } },
      { name: 'load', startedAtMs: 4000, seconds: 0.5, result: 'failed', code: 'LOAD_FAILED' },
      { name: 'failed', startedAtMs: 4500, seconds: 5, result: 'failed', code: 'LOAD_FAILED' },
      { name: 'ticket', startedAtMs: 9500 },
    ]);
  });

  it('counts the bytes of a second download by themselves', () => {
    const told = session(
      ...[report(1, 'download', { doneBytes: 50 }), sent(2, 'origin', 50), report(3, 'failed'), report(4, 'download')],
      ...[sent(5, 'origin', 20), report(6, 'download', { doneBytes: 100 })],
    );
    const bytes = phaseTimes(told, { nowMs: 6 }).flatMap((phase) => (phase.bytes ? [phase.bytes] : []));
    expect(bytes).toEqual([
      { origin: 50, peers: 0, http: 0 },
      { origin: 20, peers: 30, http: 0 },
    ]);
  });
});

describe('stalledSinceMs()', () => {
  const silent = (phase: ReportPhase) => session(report(1000, phase));

  it.each(['network', 'ticket', 'verify-catalog', 'menu', 'download', 'seed'] as const)(
    'is set 8 s after the last report of %s',
    (phase) => {
      expect(stalledSinceMs(silent(phase), 8999)).toBeUndefined();
      expect(stalledSinceMs(silent(phase), 9000)).toBe(1000);
      expect(bootResult(silent(phase), { nowMs: 9000 })).toBe('stalled');
      expect(phaseTimes(silent(phase), { nowMs: 9000 }).at(-1)).toMatchObject({ name: phase, result: 'stalled' });
    },
  );

  it.each(['up', 'ended', 'failed', 'executing'] as const)('is never set in %s', (phase) => {
    expect(stalledSinceMs(silent(phase), 1e12)).toBeUndefined();
  });

  it('takes no byte that the server sends for a sign of life, and ends with a report', () => {
    const sending = advance(silent('download'), sent(8500, 'origin', 5));
    expect(stalledSinceMs(sending, 9000)).toBe(1000);
    expect(stalledSinceMs(advance(sending, report(9500, 'download')), 10_000)).toBeUndefined();
  });
});

describe('a heartbeat that is expected', () => {
  const started = session(ticket(0, 60_000), report(1000, 'executing'));

  it('makes the boot failed when it does not come in time, and up when it comes late', () => {
    expect(isOverdue(started, 60_999)).toBe(false);
    const failed = advance(started, overdue(61_000));
    expect(failed.fault?.code).toBe('HEARTBEAT_MISSING');
    expect(phaseTimes(failed, { nowMs: 61_000 }).slice(-2)).toMatchObject([
      { name: 'executing', seconds: 60, result: 'failed', code: 'HEARTBEAT_MISSING' },
      { name: 'failed', result: 'failed' },
    ]);
    const late = advance(failed, report(70_000, 'up'));
    expect([bootResult(late, { nowMs: 70_000 }), late.fault]).toEqual(['up', undefined]);
  });

  it('is not missing where the image asks for none', () => {
    expect(isOverdue(session(ticket(0), report(1000, 'executing')), 1e12)).toBe(false);
  });
});

test.each([
  ['started', [ticket(0), report(1, 'executing')], false],
  ['booting', [ticket(0, 60_000), report(1, 'executing')], false],
  ['stalled', [ticket(0, 60_000), report(1, 'executing')], true],
  ['stalled', [report(1, 'download')], true],
  ['up', [report(1, 'executing'), report(2, 'up'), report(3, 'rebooting')], true],
  ['ended', [report(1, 'up'), report(2, 'ended', { exitStatus: 3 })], false],
] as const)('bootResult() is %s', (result, events, isOver) => {
  expect(bootResult(session(...events), { nowMs: 3, isOver })).toBe(result);
});

test('advance() keeps what a report says of the machine and of the program, and not its log', () => {
  const about = { memoryBytes: 2 ** 30, missingDrivers: ['8086:1572'] };
  const told = session(report(1, 'network', about), report(2, 'ended', { exitStatus: 3, output: 'bad', log: 'x' }));
  expect(told).toMatchObject({ ...about, exitStatus: 3, output: 'bad' });
  expect(JSON.stringify(told)).not.toContain('"log"');
});

test('a script that hands over ends what is heard of a boot, and names the image', () => {
  const handover = { image: 'disk', manifest: 'a'.repeat(64) as Digest };
  const event = { kind: 'script', atMs: 5, mac, address, handover } as const;
  const told = openSession(id, mac, event);
  expect(told).toMatchObject({ ...handover, phases: [{ name: 'script' }, { name: 'executing' }] });
  expect(bootResult(told, { nowMs: 6 })).toBe('started');
});
