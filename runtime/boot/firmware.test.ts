import { expect, test } from 'vitest';
import { archOf, firmwareOf, isHttpBoot, nbpOf, parseFirmware } from './firmware.ts';

test.each([
  [0, 'bios', 'undionly.kpxe', 'amd64'],
  [6, 'uefi-ia32', undefined, undefined],
  [7, 'uefi-x64', 'snponly.efi', 'amd64'],
  [9, 'uefi-x64', 'snponly.efi', 'amd64'],
  [10, 'uefi-arm32', undefined, undefined],
  [11, 'uefi-arm64', 'ipxe-arm64.efi', 'arm64'],
  [16, 'uefi-x64-http', 'snponly.efi', 'amd64'],
  [19, 'uefi-arm64-http', 'ipxe-arm64.efi', 'arm64'],
  [27, 'unknown', undefined, undefined],
] as const)('firmwareOf() knows architecture type %i', (type, firmware, nbp, arch) => {
  expect(firmwareOf([type])).toBe(firmware);
  expect(nbpOf(firmware)).toBe(nbp);
  expect(archOf(firmware)).toBe(arch);
});

test('firmwareOf() takes the first known type of a list', () => {
  expect(firmwareOf([27, 7, 0])).toBe('uefi-x64');
  expect(firmwareOf([])).toBe('unknown');
});

test('isHttpBoot() is true for UEFI HTTP boot alone', () => {
  expect([isHttpBoot('uefi-x64-http'), isHttpBoot('uefi-x64')]).toEqual([true, false]);
});

test('parseFirmware() refuses another name', () => {
  expect(parseFirmware('bios')).toBe('bios');
  expect(() => parseFirmware('../x')).toThrow(expect.objectContaining({ code: 'FIRMWARE_INVALID' }));
});
