import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { Mac } from '#bundle/digest.ts';
import { Fault } from '#bundle/fault.ts';
import { correctedClockMs } from './clock.ts';
import { identity, targetFiles } from './identity.ts';
import { parseLease } from './lease.ts';
import { faultOf, formatLine } from './reporter.ts';
import { retryPauseMs } from './retry.ts';

const hour = 3600 * 1000;
const built = Date.UTC(2026, 0, 1);
const mac = '52:54:00:aa:00:01' as Mac;

it('retryPauseMs() grows to 16 s and no further: a server that is back must not wait for its nodes', () => {
  expect([1, 2, 3, 4, 5, 6, 7, 100].map((failures) => retryPauseMs(failures, 0))).toEqual([
    2000, 4000, 8000, 16_000, 16_000, 16_000, 16_000, 16_000,
  ]);
  expect(retryPauseMs(1, 1)).toBe(2500);
});

it('correctedClockMs() leaves a clock alone that is only hours off', () => {
  const serverMs = built + 1000 * hour;
  expect(correctedClockMs({ clockMs: serverMs - 20 * hour, serverMs, buildMs: built })).toBeUndefined();
});

it('correctedClockMs() sets a clock that stands before the build, or days off', () => {
  const serverMs = built + 1000 * hour;
  expect(correctedClockMs({ clockMs: 0, serverMs, buildMs: built })).toBe(serverMs);
  expect(correctedClockMs({ clockMs: built - 1, serverMs: built + hour, buildMs: built })).toBe(built + hour);
  expect(correctedClockMs({ clockMs: serverMs + 25 * hour, serverMs, buildMs: built })).toBe(serverMs);
});

it('correctedClockMs() does not follow a server to before the build', () => {
  expect(correctedClockMs({ clockMs: built + hour, serverMs: built - 1000 * hour, buildMs: built })).toBeUndefined();
});

it('parseLease() reads what the lease script writes', () => {
  const text = 'address=10.0.0.9\nrouter=10.0.0.1\ndns=10.0.0.1 10.0.0.2\nhostname=n9\ndomain=lab\nlease=120\n';
  expect(parseLease(text)).toEqual({
    address: '10.0.0.9',
    router: '10.0.0.1',
    dns: ['10.0.0.1', '10.0.0.2'],
    hostname: 'n9',
    domain: 'lab',
    leaseSeconds: 120,
  });
});

it('parseLease() leaves out what must not get into files of the target', () => {
  const text = 'address=10.0.0.9\nrouter=\ndns=10.0.0.1 $(reboot) \nhostname=n;9\ndomain=a b\nlease=soon\n';
  expect(parseLease(text)).toEqual({ address: '10.0.0.9', dns: ['10.0.0.1'] });
  expect(parseLease('')).toBeUndefined();
});

it('identity() names a node after its MAC where the lease has no name', () => {
  const digest = '0123456789abcdef'.repeat(4);
  const lease = { address: '10.0.0.9', dns: [] };
  expect(identity(mac, lease, digest)).toEqual({
    machineId: '0123456789abcdef0123456789abcdef',
    hostname: 'node-525400aa0001',
  });
  expect(identity(mac, { ...lease, hostname: 'n9' }, digest).hostname).toBe('n9');
});

it('targetFiles() writes machine-id, names and resolver', () => {
  const node = { machineId: 'ab'.repeat(16), hostname: 'n9' };
  const files = targetFiles({ identity: node, mac, lease: { address: '10.0.0.9', dns: ['10.0.0.1'], domain: 'lab' } });
  const textOf = (path: string) => files.find((file) => file.path === path)?.text;
  expect(textOf('etc/machine-id')).toBe(`${'ab'.repeat(16)}\n`);
  expect(textOf('etc/hostname')).toBe('n9\n');
  expect(textOf('etc/resolv.conf')).toBe('search lab\nnameserver 10.0.0.1\n');
  expect(textOf('etc/hosts')).toContain('127.0.1.1\tn9.lab n9\n');
  expect(textOf('run/systemd/network/10-boottorrent.network')).toBe(
    '[Match]\nMACAddress=52:54:00:aa:00:01\n[Link]\nUnmanaged=yes\n',
  );
});

it('formatLine() is one line of printable ASCII whatever is in it', () => {
  expect(formatLine(12_345, 'download', '45 %')).toBe('   12.3 s  download      45 %');
  fc.assert(
    fc.property(
      fc.array(fc.nat(0xffff)).map((codes) => String.fromCharCode(...codes)),
      (text) => {
        expect(formatLine(0, 'x', text)).toMatch(/^[\x20-\x7e]*$/);
      },
    ),
  );
});

it('faultOf() keeps a fault and names anything else', () => {
  const fault = new Fault('X', 'Cannot x');
  expect(faultOf(fault)).toBe(fault);
  expect(faultOf(new TypeError('bad'))).toMatchObject({
    code: 'AGENT_FAILED',
    message: 'Cannot go on: TypeError: bad',
  });
  expect(faultOf('text').code).toBe('AGENT_FAILED');
});
