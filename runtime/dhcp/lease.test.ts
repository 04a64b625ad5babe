import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseMac } from '#bundle/digest.ts';
import { addressNumber, parseIpv4 } from './address.ts';
import { applyLease, chooseAddress, type Lease, openLeaseTable } from './lease.ts';
import { range, view } from './testdata/view.ts';

const [a, b] = [parseMac('52:54:00:00:00:0a'), parseMac('52:54:00:00:00:0b')];
const ip = parseIpv4;
const small = { ...view, range: range('10.77.0.100', '10.77.0.101') };

function lease(mac: typeof a, address: string, over: Partial<Lease> = {}): Lease {
  return { mac, address: ip(address), state: 'bound', expiresAtMs: 1000, ...over };
}

function tableOf(...leases: readonly Lease[]) {
  return openLeaseTable(leases.map((one) => ({ kind: 'set', lease: one })));
}

test('chooseAddress() gives a node its address again, also long after it expired', () => {
  const table = tableOf(lease(a, '10.77.0.150'));
  expect(chooseAddress(table, view, { mac: a, wanted: ip('10.77.0.160'), now: 9e12 })).toBe('10.77.0.150');
});

test('chooseAddress() gives an address that nobody had for the asking, but not that of another', () => {
  const table = tableOf(lease(a, '10.77.0.150', { expiresAtMs: 0 }));
  expect(chooseAddress(table, view, { mac: b, wanted: ip('10.77.0.160'), now: 1 })).toBe('10.77.0.160');
  expect(chooseAddress(table, view, { mac: b, wanted: ip('10.77.0.150'), now: 1 })).not.toBe('10.77.0.150');
});

test('chooseAddress() takes the address that expired first when all were used, and none when all are held', () => {
  const table = tableOf(lease(a, '10.77.0.100', { expiresAtMs: 50 }), lease(b, '10.77.0.101', { expiresAtMs: 40 }));
  const mac = parseMac('52:54:00:00:00:0c');
  expect(chooseAddress(table, small, { mac, wanted: undefined, now: 45 })).toBe('10.77.0.101');
  expect(chooseAddress(table, small, { mac, wanted: undefined, now: 60 })).toBe('10.77.0.101');
  expect(chooseAddress(table, small, { mac, wanted: undefined, now: 39 })).toBeUndefined();
});

test('chooseAddress() leaves a declined address alone until its time is over', () => {
  const declined = { state: 'declined', expiresAtMs: 1000 } as const;
  const table = tableOf(lease(a, '10.77.0.100', declined), lease(b, '10.77.0.101'));
  expect(chooseAddress(table, small, { mac: a, wanted: ip('10.77.0.100'), now: 999 })).toBeUndefined();
  expect(chooseAddress(table, small, { mac: a, wanted: undefined, now: 1000 })).toBe('10.77.0.100');
});

test('chooseAddress() never gives the addresses of server, router and DNS, nor the ends of the subnet', () => {
  const tight = { ...view, range: range('10.77.0.254', '10.77.0.255') };
  expect(chooseAddress(openLeaseTable(), tight, { mac: a, wanted: undefined, now: 0 })).toBeUndefined();
  const start = { ...view, range: range('10.77.0.0', '10.77.0.2') };
  expect(chooseAddress(openLeaseTable(), start, { mac: a, wanted: undefined, now: 0 })).toBe('10.77.0.2');
});

test('applyLease() keeps one record per address and one address per MAC, and no two live leases share an address', () => {
  const macs = Array.from({ length: 8 }, (_, index) => parseMac(`52:54:00:00:00:0${index}`));
  const tiny = { ...view, range: range('10.77.0.100', '10.77.0.104') };
  const step = fc.record({
    mac: fc.constantFrom(...macs),
    state: fc.constantFrom('offered', 'bound', 'released', 'declined'),
    stay: fc.nat({ max: 5 }),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const table = openLeaseTable();
      steps.forEach(({ mac, state, stay }, now) => {
        const address = chooseAddress(table, tiny, { mac, wanted: undefined, now });
        if (!address) return;
        const holder = table.byAddress.get(address);
        expect(!holder || holder.mac === mac || holder.expiresAtMs <= now).toBe(true);
        applyLease(table, { kind: 'set', lease: { mac, address, state, expiresAtMs: now + stay } });
        for (const [key, one] of table.byMac) expect([one.mac, table.byAddress.get(one.address)]).toEqual([key, one]);
        for (const [key, one] of table.byAddress) expect(one.address).toBe(key);
        expect(addressNumber(address)).toBeGreaterThanOrEqual(tiny.range.first);
      });
    }),
    { numRuns: 200 },
  );
});
