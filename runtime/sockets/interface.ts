import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { Fault } from '#bundle/fault.ts';

const run = promisify(execFile);

/** An IPv4 address of an interface of this machine. */
export interface InterfaceAddress {
  readonly address: string;
  readonly netmask: string;
}

interface Link {
  readonly ifname?: string;
  readonly addr_info?: readonly { readonly family: string; readonly local: string; readonly prefixlen: number }[];
}

/**
 * The address that nodes know this server by. Asked of `ip`, because `os.networkInterfaces()` leaves out interfaces
 * without a carrier: a bridge before its first machine, a port whose switch is still starting.
 * @param wanted `network.address`: needed where the interface has several IPv4 addresses
 * @throws Fault `INTERFACE_UNKNOWN`
 */
export async function interfaceAddress(name: string, wanted?: string): Promise<InterfaceAddress> {
  const { stdout } = await run('ip', ['-json', '-4', 'address', 'show']);
  return chooseAddress(JSON.parse(stdout) as readonly Link[], name, wanted);
}

/** The same from what `ip -json -4 address show` says. @throws Fault `INTERFACE_UNKNOWN` */
export function chooseAddress(links: readonly Link[], name: string, wanted?: string): InterfaceAddress {
  // `ip -4` leaves empty objects in place of interfaces without an address.
  const link = links.find(({ ifname }) => ifname === name);
  const found = (link?.addr_info ?? []).filter(({ family }) => family === 'inet');
  const [first, second] = wanted === undefined ? found : found.filter(({ local }) => local === wanted);
  if (first && !second) return { address: first.local, netmask: netmaskOf(first.prefixlen) };
  const shown = found.map(({ local }) => local).join(', ');
  if (first) throw unknown(`${name} has several IPv4 addresses (${shown})`, 'Set network.address to one of them');
  if (found.length > 0) throw unknown(`${name} has no address ${wanted}, only ${shown}`, 'Correct network.address');
  const others = links.flatMap(({ ifname }) => (ifname === undefined || ifname === 'lo' ? [] : [ifname]));
  const hint = `Set network.interface to one of: ${others.join(', ') || '(none has an address)'}`;
  throw unknown(`${name} is not there or has no IPv4 address`, hint);
}

function netmaskOf(prefix: number): string {
  const mask = prefix === 0 ? 0 : (0xffffffff << (32 - prefix)) >>> 0;
  return [24, 16, 8, 0].map((shift) => (mask >>> shift) & 255).join('.');
}

function unknown(reason: string, hint: string): Fault {
  return new Fault('INTERFACE_UNKNOWN', `Cannot use network.interface: ${reason}`, { hint, retry: 'stalled' });
}
