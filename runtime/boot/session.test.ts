import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ReportPhase } from '#bundle/boot-report.ts';
import type { Digest, InfoHash, Mac, SessionId } from '#bundle/digest.ts';
import type { BootEvent, DhcpSpeaker } from './event.ts';
import { openNodes } from './nodes.ts';
import { bytesBySource, currentPhase, isLive, sessionSilenceMs } from './session.ts';

const mac = '52:54:00:00:00:01' as Mac;
const address = '10.0.0.9';
const bootstrap = 'b'.repeat(64) as Digest;
const manifest = 'a'.repeat(64) as Digest;

function nodes(limit?: number) {
  let last = 0;
  const newSession = () => (++last).toString(16).padStart(32, '0') as SessionId;
  return openNodes({ newSession, ...(limit !== undefined && { limit }) });
}

function dhcp(atMs: number, speaker: DhcpSpeaker, more: Partial<BootEvent & { kind: 'dhcp' }> = {}): BootEvent {
  return { kind: 'dhcp', atMs, mac, speaker, request: 'discover', answer: 'offer', ...more };
}
const ack = (atMs: number, speaker: DhcpSpeaker) => dhcp(atMs, speaker, { request: 'request', answer: 'ack', address });
const script = (atMs: number): BootEvent => ({ kind: 'script', atMs, mac, address, bootstrap });
const blob = (atMs: number, sentBytes = 1): BootEvent => ({ kind: 'blob', atMs, address, name: 'vmlinuz', sentBytes });
const tftp = (atMs: number): BootEvent => ({ kind: 'tftp', atMs, address, file: 'x', result: 'done', sentBytes: 1 });
const origin = (atMs: number, sentBytes: number): BootEvent => {
  return { kind: 'origin', atMs, address, infoHash: '1'.repeat(40) as InfoHash, sentBytes };
};
function report(atMs: number, phase: ReportPhase, more = {}): BootEvent {
  const session = '1'.padStart(32, '0') as SessionId;
  return { kind: 'report', atMs, address, report: { session, mac, phase, uptimeMs: atMs, ...more } };
}
function ticket(atMs: number): BootEvent {
  const session = '1'.padStart(32, '0') as SessionId;
  const release = { identity: manifest, manifest, catalog: manifest, signature: manifest };
  return { kind: 'ticket', atMs, session, mac, address, image: 'debian', manifests: [bootstrap, manifest], release };
}

describe('boot session', () => {
  it('is one for one power cycle: ROM, NBP, iPXE, agent, OS', () => {
    const table = nodes();
    const events = [dhcp(0, 'firmware'), dhcp(4000, 'firmware'), ack(4100, 'firmware'), tftp(5000)];
    events.push(dhcp(6000, 'ipxe'), ack(6100, 'ipxe'), script(7000), blob(8000), dhcp(9000, 'os'), ack(9100, 'os'));
    events.push(report(10_000, 'network'), ticket(10_500), report(11_000, 'download'), report(20_000, 'executing'));
    events.push(dhcp(30_000, 'os'), report(40_000, 'up'));
    for (const event of events) table.take(event);
    expect(table.list()).toHaveLength(1);
    expect(table.list()[0]).toMatchObject({ id: '1'.padStart(32, '0'), address, image: 'debian' });
    expect(table.list()[0]?.phases).toEqual([
      { name: 'firmware', atMs: 0 },
      { name: 'nbp', atMs: 5000 },
      { name: 'script', atMs: 7000 },
      { name: 'kernel', atMs: 8000 },
      { name: 'network', atMs: 10_000 },
      { name: 'download', atMs: 11_000, bytes: { origin: 0, peers: 0, http: 0 } },
      { name: 'executing', atMs: 20_000 },
      { name: 'up', atMs: 40_000 },
    ]);
  });

  it.each([
    ['firmware', 'kernel', [dhcp(0, 'firmware'), script(1), blob(2)]],
    ['a card whose ROM is iPXE', 'up', [dhcp(0, 'ipxe'), script(1), blob(2), report(3, 'up')]],
    ['a card whose ROM is iPXE', 'kernel', [dhcp(0, 'ipxe'), ack(0, 'ipxe'), script(1), blob(2)]],
  ] as const)('begins anew when %s asks after phase %s', (_, phase, events) => {
    const table = nodes();
    for (const event of events) table.take(event);
    expect(currentPhase(table.list()[0]!)).toBe(phase);
    table.take(dhcp(5000, phase === 'kernel' && events[0].kind === 'dhcp' ? events[0].speaker : 'ipxe'));
    expect(table.list()[0]).toMatchObject({ id: '2'.padStart(32, '0'), phases: [{ name: 'firmware', atMs: 5000 }] });
  });

  it('opens at the script when somebody else answers DHCP', () => {
    const table = nodes();
    expect(table.take(script(5))).toMatchObject({ phases: [{ name: 'script', atMs: 5 }], names: [bootstrap] });
    expect(table.take(script(6))?.id).toBe('1'.padStart(32, '0'));
  });

  it('is not opened by an operating system that asks for an address', () => {
    const table = nodes();
    expect(table.take(dhcp(0, 'os'))).toBeUndefined();
    expect(table.list()).toEqual([]);
  });

  it('survives a restart of the server: a node goes on under the identity that it was given', () => {
    const table = nodes();
    table.take(report(0, 'download', { doneBytes: 5, totalBytes: 10 }));
    expect(table.of('1'.padStart(32, '0') as SessionId)).toMatchObject({ mac, doneBytes: 5, address });
  });

  it('is not taken over by a report under an older identity', () => {
    const table = nodes();
    table.take(dhcp(0, 'firmware'));
    table.take(dhcp(100_000, 'firmware'));
    expect(table.take(report(100_001, 'up'))).toBeUndefined();
    expect(currentPhase(table.list()[0]!)).toBe('firmware');
  });

  it('counts bytes by source: peers are what is verified minus origin and HTTP', () => {
    const table = nodes();
    for (const event of [script(0), origin(1, 300), origin(2, 100)]) table.take(event);
    table.take(blob(3));
    table.take(report(4, 'download', { doneBytes: 1000, totalBytes: 1000 }));
    table.take(blob(5, 50));
    expect(bytesBySource(table.list()[0]!)).toEqual({ origin: 400, peers: 550, http: 50 });
  });

  it('lives until it is up or silent for 15 minutes', () => {
    const table = nodes();
    const session = table.take(script(0))!;
    expect(isLive(session, sessionSilenceMs - 1)).toBe(true);
    expect(isLive(session, sessionSilenceMs)).toBe(false);
    expect(table.namedBundles(1)).toEqual(new Set([bootstrap]));
    table.take(ticket(2));
    expect(table.namedBundles(3)).toEqual(new Set([bootstrap, manifest]));
    table.take(report(4, 'up'));
    expect(table.namedBundles(5)).toEqual(new Set());
  });

  it('shows a fault until the next phase, and keeps a bounded history of retries', () => {
    const table = nodes();
    table.take(script(0));
    for (let at = 1; at < 1000; at += 2) {
      const failed = table.take(report(at, 'failed', { fault: { code: 'X', message: 'no' } }));
      expect(failed?.fault?.code).toBe('X');
      expect(table.take(report(at + 1, 'ticket'))?.fault).toBeUndefined();
    }
    expect(table.list()[0]?.phases.length).toBeLessThanOrEqual(48);
    expect(table.list()[0]?.phases[0]?.name).toBe('script');
  });
});

describe('openNodes()', () => {
  it('forgets the node that was silent longest when there are too many', () => {
    const table = nodes(2);
    for (const last of ['1', '2', '1', '3']) {
      table.take({ ...script(0), mac: `52:54:00:00:00:0${last}` as Mac, address: `10.0.0.${last}` } as BootEvent);
    }
    expect(table.list().map((session) => session.mac.at(-1))).toEqual(['1', '3']);
    expect(table.at('10.0.0.2')).toBeUndefined();
  });

  it('goes on with the sessions of an earlier process', () => {
    const before = nodes();
    const session = before.take(script(0))!;
    const table = openNodes({ newSession: () => 'f'.repeat(32) as SessionId, known: before.list() });
    expect(table.of(session.id)).toEqual(session);
    expect(table.at(address)?.id).toBe(session.id);
    expect(table.take(blob(1))).toMatchObject({ id: session.id, lastSeenMs: 1 });
  });

  it('binds an address to the node that had it last', () => {
    const table = nodes();
    table.take(script(0));
    table.take({ ...script(1), mac: '52:54:00:00:00:02' as Mac } as BootEvent);
    expect(table.at(address)?.mac).toBe('52:54:00:00:00:02');
  });

  it('holds for any events: one session a node, each index leads to its node', () => {
    const macs = fc.constantFrom('52:54:00:00:00:01', '52:54:00:00:00:02', '52:54:00:00:00:03');
    const make = [dhcp(0, 'firmware'), dhcp(0, 'ipxe'), ack(0, 'os'), script(0), blob(0), tftp(0), origin(0, 9)];
    const events = fc.record({ event: fc.constantFrom(...make), mac: macs, host: fc.integer({ min: 1, max: 4 }) });
    fc.assert(
      fc.property(fc.array(events), (list) => {
        const table = nodes(2);
        for (const [index, { event, mac, host }] of list.entries()) {
          const moved = { ...event, atMs: index * 20_000, ...('mac' in event && { mac }) };
          table.take({ ...moved, ...('address' in event && { address: `10.0.0.${host}` }) } as BootEvent);
        }
        expect(table.list().length).toBeLessThanOrEqual(2);
        for (const session of table.list()) {
          expect(table.of(session.id)).toBe(session);
          if (session.address && table.at(session.address)) expect(table.list()).toContain(table.at(session.address));
        }
      }),
    );
  });
});
