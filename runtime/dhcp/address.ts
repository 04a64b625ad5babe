import { Fault } from '#bundle/fault.ts';

/** An IPv4 address in dotted form without leading zeros. */
export type Ipv4 = string & { readonly brand: 'Ipv4' };

export const zeroAddress = '0.0.0.0' as Ipv4;
export const broadcastAddress = '255.255.255.255' as Ipv4;

/** @throws Fault `ADDRESS_INVALID` */
export function parseIpv4(text: string): Ipv4 {
  const parts = text.split('.');
  if (parts.length === 4 && parts.every((part) => /^(0|[1-9][0-9]{0,2})$/.test(part) && Number(part) < 256)) {
    return text as Ipv4;
  }
  throw new Fault('ADDRESS_INVALID', `Cannot read ${JSON.stringify(text.slice(0, 40))}: expected an IPv4 address`);
}

export function addressNumber(address: Ipv4): number {
  return address.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
}

export function addressOf(number: number): Ipv4 {
  return [24, 16, 8, 0].map((shift) => (number >>> shift) & 255).join('.') as Ipv4;
}

export function addressBytes(address: Ipv4): Uint8Array {
  return Uint8Array.from(address.split('.'), Number);
}

/** The address in the first four of some bytes. */
export function readAddress(bytes: Uint8Array, offset = 0): Ipv4 {
  return bytes.subarray(offset, offset + 4).join('.') as Ipv4;
}

export interface Subnet {
  readonly address: Ipv4;
  readonly netmask: Ipv4;
}

export function isInSubnet(subnet: Subnet, address: Ipv4): boolean {
  const mask = addressNumber(subnet.netmask);
  return (addressNumber(address) & mask) === (addressNumber(subnet.address) & mask);
}

/** The first and the last address of a subnet; nobody can have either. */
export function subnetEnds(subnet: Subnet): { readonly network: Ipv4; readonly broadcast: Ipv4 } {
  const mask = addressNumber(subnet.netmask);
  const network = (addressNumber(subnet.address) & mask) >>> 0;
  return { network: addressOf(network), broadcast: addressOf((network | ~mask) >>> 0) };
}
