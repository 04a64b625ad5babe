import type { Host } from './host.ts';

/** A device of this machine that the bootstrap cannot use. */
export interface MissingDriver {
  /** `0000:03:00.0` */
  readonly address: string;
  /** Vendor and device, `8086:1572`: what a driver is looked up by. */
  readonly id: string;
  readonly kind: DeviceKind;
  /** `firmware`: its driver is there, and lacks a file. */
  readonly lacks: 'driver' | 'firmware';
}

/** The first two digits of a PCI class. */
const kinds = { '01': 'storage', '02': 'network', '03': 'display' } as const;
type DeviceKind = (typeof kinds)[keyof typeof kinds];

/** What the kernel says when a driver asks for a file that is not there; with the device's address before it. */
const firmwareFailed =
  /([0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]): .*(?:firmware: failed to load|Direct firmware load for)/g;

/** Network cards, disk controllers and displays that no driver has taken, or whose driver lacks firmware. */
export function missingDrivers(host: Host, root = '/sys/bus/pci/devices'): readonly MissingDriver[] {
  const withoutFirmware = firmwareFaults(host.run(['dmesg']).stdout);
  return host.list(root).flatMap((address) => {
    const read = (name: string) => host.readText(`${root}/${address}/${name}`)?.trim().replace(/^0x/, '') ?? '';
    const kind = kinds[read('class').slice(0, 2) as keyof typeof kinds];
    const hasDriver = host.list(`${root}/${address}/driver`).length > 0;
    if (!kind || (hasDriver && !withoutFirmware.includes(address))) return [];
    return [{ address, id: `${read('vendor')}:${read('device')}`, kind, lacks: hasDriver ? 'firmware' : 'driver' }];
  });
}

/** Addresses of devices whose firmware could not be loaded. @param messages of the kernel */
export function firmwareFaults(messages: string): readonly string[] {
  return [...messages.matchAll(firmwareFailed)].flatMap((match) => match[1] ?? []);
}

/** `network card 8086:1572 at 0000:03:00.0 has no driver in the bootstrap` */
export function formatMissing({ address, id, kind, lacks }: MissingDriver): string {
  const names = { storage: 'disk controller', network: 'network card', display: 'display' } as const;
  return `${names[kind]} ${id} at ${address} has no ${lacks} in the bootstrap`;
}
