import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { openProcessHost } from '../../process-host.ts';
import { unbindDrivers } from './unbind.ts';

it('unbindDrivers() lets go every device of a driver, on every bus, and touches no control file', () => {
  const host = openProcessHost();
  const root = `${host.workPath}/bus`;
  for (const [bus, device] of Object.entries({ pci: '0000:01:00.0', usb: '1-1:1.0' })) {
    mkdirSync(`${root}/${bus}/drivers/nouveau/${device}/power`, { recursive: true });
    mkdirSync(`${root}/${bus}/drivers/nouveau/module/holders`, { recursive: true });
    mkdirSync(`${root}/${bus}/drivers/other/${device}/power`, { recursive: true });
    writeFileSync(`${root}/${bus}/drivers/nouveau/unbind`, '');
    writeFileSync(`${root}/${bus}/drivers/other/unbind`, '');
  }
  const said: string[] = [];
  unbindDrivers(host, ['nouveau', 'absent'], (text) => said.push(text), root);
  expect(said).toEqual(['0000:01:00.0 of nouveau: let go', '1-1:1.0 of nouveau: let go']);
  expect(readFileSync(`${root}/pci/drivers/nouveau/unbind`, 'utf8')).toBe('0000:01:00.0');
  expect(readFileSync(`${root}/usb/drivers/other/unbind`, 'utf8')).toBe('');
  host.remove();
});
