import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { parseMac } from '#bundle/digest.ts';
import { parseIpv4 } from './address.ts';
import { applyLease, type Lease, type LeaseChange } from './lease.ts';
import { openLeaseFile } from './lease-file.ts';

let directory: string;
let path: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'lease-test-'));
  path = join(directory, 'leases.json');
});

afterEach(() => rm(directory, { recursive: true }));

function bound(last: number, expiresAtMs = 5): LeaseChange {
  const mac = parseMac(`52:54:00:00:00:${last.toString(16).padStart(2, '0')}`);
  const lease: Lease = { mac, address: parseIpv4(`10.77.0.${last}`), state: 'bound', expiresAtMs };
  return { kind: 'set', lease };
}

test('openLeaseFile() reads what was appended, the last record of a MAC', async () => {
  const file = await openLeaseFile(path);
  await file.append([bound(10, 1), bound(11)]);
  await file.append([bound(10, 2)]);
  const again = await openLeaseFile(path);
  expect([...again.leases.byAddress.values()].map((one) => [one.address, one.expiresAtMs])).toEqual([
    ['10.77.0.11', 5],
    ['10.77.0.10', 2],
  ]);
  await Promise.all([file.close(), again.close()]);
});

test('openLeaseFile() leaves out a line that was cut off, and names another bad one', async () => {
  const file = await openLeaseFile(path);
  await file.append([bound(10)]);
  await file.close();
  const good = await readFile(path, 'utf8');
  await writeFile(path, `${good}{"mac":"52:5`);
  const again = await openLeaseFile(path);
  expect(again.leases.byAddress.size).toBe(1);
  expect(await readFile(path, 'utf8')).toBe(good);
  await again.close();
  await writeFile(path, `${good}{"mac":"52:5\n${good}`);
  await expect(openLeaseFile(path)).rejects.toMatchObject({
    code: 'LEASES_INVALID',
    message: expect.stringContaining(':2'),
  });
});

test('openLeaseFile() writes itself anew before it grows without end', async () => {
  const file = await openLeaseFile(path);
  for (let round = 0; round < 3; round += 1) {
    const changes = Array.from({ length: 6000 }, (_, index) => bound(10 + (index % 20), round * 6000 + index));
    for (const change of changes) applyLease(file.leases, change);
    await file.append(changes);
  }
  const lines = (await readFile(path, 'utf8')).trimEnd().split('\n');
  expect(lines.length).toBe(20);
  expect(JSON.parse(lines.at(-1)!)).toMatchObject({ expiresAtMs: 17_999 });
  await file.close();
});

test('openLeaseFile() faults where it cannot write', async () => {
  await expect(openLeaseFile(join(directory, 'none', 'leases'))).rejects.toMatchObject({ code: 'LEASES_NOT_WRITTEN' });
});
