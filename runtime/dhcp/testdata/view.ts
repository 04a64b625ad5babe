import { addressNumber, type Ipv4, parseIpv4 } from '../address.ts';
import type { DhcpView } from '../view.ts';

const ip = parseIpv4;

/** The view of the site in the captures. */
export const view: DhcpView = {
  mode: 'full',
  subnet: { address: ip('10.77.0.1'), netmask: ip('255.255.255.0') },
  range: range('10.77.0.100', '10.77.0.199'),
  leaseMs: 3_600_000,
  router: ip('10.77.0.254'),
  dns: [ip('10.77.0.1'), ip('9.9.9.9')],
  domain: 'lab.test',
  bootServer: 'http://10.77.0.1:8480',
  httpBootUrls: { 'uefi-x64-http': `http://10.77.0.1:8480/blob/${'a'.repeat(64)}/snponly.efi` },
};

export function range(first: string, last: string): { first: number; last: number } {
  return { first: addressNumber(first as Ipv4), last: addressNumber(last as Ipv4) };
}
