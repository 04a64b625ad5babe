import { parseMac } from '#bundle/digest.ts';
import { failWith } from '../../cli/exit.ts';
import { parseIpv4 } from '../../dhcp/address.ts';
import { applyLease, type Lease, type LeaseChange } from '../../dhcp/lease.ts';
import { openLeaseFile } from '../../dhcp/lease-file.ts';

const [path = '', count = '0'] = process.argv.slice(2);

/** Binds addresses, one after the other, as the DHCP server does; a line on standard output stands for each ACK. */
async function writeLeases(): Promise<void> {
  const file = await openLeaseFile(path);
  for (let node = 1; node <= Number(count); node++) {
    const mac = parseMac(`52:54:00:00:01:${node.toString(16).padStart(2, '0')}`);
    const lease: Lease = { mac, address: parseIpv4(`10.77.1.${node}`), state: 'bound', expiresAtMs: 9e12 + node };
    const change: LeaseChange = { kind: 'set', lease };
    applyLease(file.leases, change);
    await file.append([change]);
    process.stdout.write(`${JSON.stringify(lease)}\n`);
  }
  await file.close();
}

await writeLeases().catch(failWith);
