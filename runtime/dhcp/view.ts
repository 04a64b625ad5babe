import type { Mac } from '#bundle/digest.ts';
import { Fault } from '#bundle/fault.ts';
import type { Site } from '#definition/site.ts';
import type { Firmware } from '../boot/firmware.ts';
import { addressNumber, type Ipv4, isInSubnet, parseIpv4, type Subnet, subnetEnds } from './address.ts';

/** All that a DHCP answer depends on besides the packet and the leases. Replaced as a whole when a commit changes it. */
export interface DhcpView {
  readonly mode: 'full' | 'proxy' | 'off';
  /** The server's address on the interface, and its netmask. */
  readonly subnet: Subnet;
  /** Present with `full`. */
  readonly range?: { readonly first: number; readonly last: number };
  readonly leaseMs: number;
  readonly router?: Ipv4;
  readonly dns: readonly Ipv4[];
  readonly domain?: string;
  /** `http://10.20.0.1:8480`. */
  readonly bootServer: string;
  /** What UEFI HTTP boot loads: the URL of the NBP, by firmware (`uefi-x64-http`). Empty until a bootstrap is served. */
  readonly httpBootUrls: Readonly<Partial<Record<Firmware, string>>>;
  /** Nodes whose network boot is to be left alone. Absent: none. */
  readonly refuses?: (mac: Mac) => boolean;
}

/**
 * @param httpBootUrls URL of the NBP by firmware
 * @throws Fault `DHCP_RANGE_INVALID` for a range outside of the interface's subnet, `ADDRESS_INVALID`
 */
export function dhcpView(site: Site, subnet: Subnet, httpBootUrls: DhcpView['httpBootUrls'] = {}): DhcpView {
  const { dhcp, http } = site.network;
  const range = dhcp.mode === 'full' ? readRange(dhcp.range, subnet) : undefined;
  return {
    mode: dhcp.mode,
    subnet,
    ...(range && { range }),
    leaseMs: dhcp.leaseMs,
    ...(dhcp.router !== undefined && { router: parseIpv4(dhcp.router) }),
    dns: dhcp.dns.map(parseIpv4),
    ...(dhcp.domain !== undefined && { domain: dhcp.domain }),
    bootServer: `http://${subnet.address}:${http.port}`,
    httpBootUrls,
  };
}

/** Whether a node may be given an address: in the range, and nobody's by the configuration. */
export function isAssignable(view: DhcpView, address: Ipv4): boolean {
  const { network, broadcast } = subnetEnds(view.subnet);
  const taken = [view.subnet.address, view.router, ...view.dns, network, broadcast];
  return isInRange(view, address) && !taken.includes(address);
}

function isInRange({ range }: DhcpView, address: Ipv4): boolean {
  const number = addressNumber(address);
  return range !== undefined && number >= range.first && number <= range.last;
}

function readRange(range: readonly [string, string] | undefined, subnet: Subnet): { first: number; last: number } {
  const ends = range?.map(parseIpv4) ?? [];
  const [first, last] = ends;
  if (first && last && addressNumber(first) <= addressNumber(last) && ends.every((end) => isInSubnet(subnet, end))) {
    return { first: addressNumber(first), last: addressNumber(last) };
  }
  const shown = range ? `${range[0]} to ${range[1]}` : 'nothing';
  throw new Fault('DHCP_RANGE_INVALID', `Cannot give addresses from ${shown}: ${subnet.address} is in another subnet`, {
    hint: `Set network.dhcp.range to addresses in the subnet of network.interface (netmask ${subnet.netmask})`,
    retry: 'stalled',
  });
}
