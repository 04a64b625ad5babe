import { mkdirSync, writeFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { openFolderHost } from '../folder-host.ts';
import { firmwareFaults, formatMissing, missingDrivers } from './missing-drivers.ts';

it('missingDrivers() finds network, storage and display devices that no driver has taken', () => {
  const host = openFolderHost();
  const root = `${host.workPath}/devices`;
  const device = (address: string, about: { class: string; id: string; driver?: boolean }) => {
    mkdirSync(`${root}/${address}${about.driver ? '/driver/module' : ''}`, { recursive: true });
    const [vendor, id] = about.id.split(':');
    for (const [name, text] of Object.entries({ class: about.class, vendor: `0x${vendor}`, device: `0x${id}` })) {
      writeFileSync(`${root}/${address}/${name}`, `${text}\n`);
    }
  };
  device('0000:00:01.0', { class: '0x010601', id: '8086:2922', driver: true });
  device('0000:00:02.0', { class: '0x020000', id: '8086:1572' });
  device('0000:00:1f.3', { class: '0x0c0500', id: '8086:2930' });
  expect(missingDrivers(host, root)).toEqual([
    { address: '0000:00:02.0', id: '8086:1572', kind: 'network', lacks: 'driver' },
  ]);
  expect(missingDrivers(host, root).map(formatMissing)).toEqual([
    'network card 8086:1572 at 0000:00:02.0 has no driver in the bootstrap',
  ]);
  host.remove();
});

it('firmwareFaults() finds devices whose driver lacks a file, by either wording of the kernel', () => {
  const messages = [
    '[    2.1] bnx2 0000:01:00.0: firmware: failed to load bnx2/bnx2-mips-09-6.2.1b.fw (-2)',
    '[    2.3] r8169 0000:03:00.0: Direct firmware load for rtl_nic/rtl8168g-2.fw failed with error -2',
    '[    2.4] e1000e 0000:00:19.0 eth0: (PCI Express:2.5GT/s:Width x1)',
  ];
  expect(firmwareFaults(messages.join('\n'))).toEqual(['0000:01:00.0', '0000:03:00.0']);
});
