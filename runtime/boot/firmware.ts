import { Fault } from '#bundle/fault.ts';
import type { Arch } from '#bundle/manifest.ts';

export const firmwareNames = [
  'bios',
  'uefi-ia32',
  'uefi-x64',
  'uefi-arm32',
  'uefi-arm64',
  'uefi-ia32-http',
  'uefi-x64-http',
  'uefi-arm32-http',
  'uefi-arm64-http',
  'unknown',
] as const;
/** What runs on a node before any operating system; `-http` is UEFI HTTP boot, which needs no TFTP. */
export type Firmware = (typeof firmwareNames)[number];

/**
 * Option 93 → firmware (IANA "Processor Architecture Types"). RFC 4578 calls 7 "EFI BC" and 9 "EFI x86-64"; every x64
 * firmware in the field sends 7, some send 9.
 */
const byArchitectureType: Readonly<Record<number, Firmware>> = {
  0: 'bios',
  6: 'uefi-ia32',
  7: 'uefi-x64',
  9: 'uefi-x64',
  10: 'uefi-arm32',
  11: 'uefi-arm64',
  15: 'uefi-ia32-http',
  16: 'uefi-x64-http',
  18: 'uefi-arm32-http',
  19: 'uefi-arm64-http',
};

/**
 * The iPXE binary for a firmware, by the name it has in the bootstrap's bundle. The undionly and snponly forms use the
 * firmware's own network driver, on the interface that booted, and so need no driver for the card.
 */
const nbpByFirmware: Readonly<Partial<Record<Firmware, string>>> = {
  bios: 'undionly.kpxe',
  'uefi-x64': 'snponly.efi',
  'uefi-x64-http': 'snponly.efi',
  'uefi-arm64': 'ipxe-arm64.efi',
  'uefi-arm64-http': 'ipxe-arm64.efi',
};

/**
 * The firmware that a node names in option 93, which is a list: the first type that is known counts.
 * @param types absent or empty: `unknown`
 * @see RFC 4578 §2.1
 */
export function firmwareOf(types: readonly number[]): Firmware {
  for (const type of types) {
    const firmware = byArchitectureType[type];
    if (firmware) return firmware;
  }
  return 'unknown';
}

/** The file name of the network boot program for a firmware, or undefined where there is none. */
export function nbpOf(firmware: Firmware): string | undefined {
  return nbpByFirmware[firmware];
}

/** The architecture whose images a firmware can start; undefined: none that is built. */
export function archOf(firmware: Firmware): Arch | undefined {
  if (firmware === 'bios' || firmware.startsWith('uefi-x64')) return 'amd64';
  return firmware.startsWith('uefi-arm64') ? 'arm64' : undefined;
}

export function isHttpBoot(firmware: Firmware): boolean {
  return firmware.endsWith('-http');
}

/** @throws Fault `FIRMWARE_INVALID` */
export function parseFirmware(text: string): Firmware {
  const found = firmwareNames.find((name) => name === text);
  if (found) return found;
  throw new Fault('FIRMWARE_INVALID', `Cannot read ${JSON.stringify(text.slice(0, 40))}: expected a firmware's name`);
}
