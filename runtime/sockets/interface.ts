import { networkInterfaces } from 'node:os';
import { Fault } from '#bundle/fault.ts';

/** An IPv4 address of an interface of this machine. */
export interface InterfaceAddress {
  readonly address: string;
  readonly netmask: string;
}

/**
 * The address that nodes know this server by.
 * @param wanted `network.address`: needed where the interface has several IPv4 addresses
 * @throws Fault `INTERFACE_UNKNOWN`
 */
export function interfaceAddress(name: string, wanted?: string): InterfaceAddress {
  const all = networkInterfaces();
  const found = (all[name] ?? []).filter((one) => one.family === 'IPv4');
  const matching = wanted === undefined ? found : found.filter((one) => one.address === wanted);
  const [first, second] = matching;
  if (first && !second) return { address: first.address, netmask: first.netmask };
  const shown = found.map((one) => one.address).join(', ');
  if (first) throw unknown(`${name} has several IPv4 addresses (${shown})`, 'Set network.address to one of them');
  if (found.length > 0) throw unknown(`${name} has no address ${wanted}, only ${shown}`, 'Correct network.address');
  const others = Object.keys(all).filter((other) => other !== 'lo');
  const hint = `Set network.interface to one of: ${others.join(', ') || '(none has an address)'}`;
  throw unknown(`${name} is not there, not up, or has no IPv4 address`, hint);
}

function unknown(reason: string, hint: string): Fault {
  return new Fault('INTERFACE_UNKNOWN', `Cannot use network.interface: ${reason}`, { hint, retry: 'stalled' });
}
