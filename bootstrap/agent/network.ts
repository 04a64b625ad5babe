import type { Mac } from '#bundle/digest.ts';
import type { Child, Host } from './host.ts';
import { type Lease, parseLease } from './lease.ts';
import { formatMissing, missingDrivers } from './missing-drivers.ts';
import type { Paths } from './paths.ts';

/** The one NIC that the agent configures, with the process that keeps its lease. */
export interface Network {
  readonly interface: string;
  readonly lease: Lease;
  readonly udhcpc: Child;
}

type Say = (text: string) => void;

const leasePath = '/run/boottorrent-lease';
const reasonEveryMs = 10_000;

/** Brings the network up, however long it takes; the console says what it waits for. */
export function bringUp(host: Host, { mac, paths, say }: { mac: Mac; paths: Paths; say: Say }): Network {
  host.run(['ip', 'link', 'set', 'dev', 'lo', 'up']);
  const name = waitFor(host, () => findInterface(host, mac), {
    reason: () => noCard(host, mac),
    say,
    meanwhile: () => host.run(['/sbin/load-drivers']),
  });
  host.run(['ip', 'link', 'set', 'dev', name, 'up']);
  waitFor(host, () => hasCarrier(host, name) || undefined, {
    reason: () => `${name} has no link: is the cable plugged, the switch port on?`,
    say,
  });
  say(`${name} ${mac} has a link, asking for an address`);
  let udhcpc = startDhcp(host, name, paths);
  const lease = waitFor(host, () => parseLease(host.readText(leasePath) ?? ''), {
    reason: () => `no DHCP server answers on ${name}`,
    say,
    meanwhile: () => {
      if (udhcpc.poll() !== undefined) udhcpc = startDhcp(host, name, paths);
    },
  });
  return { interface: name, lease, udhcpc };
}

function noCard(host: Host, mac: Mac): string {
  const cards = missingDrivers(host).filter(({ kind }) => kind === 'network');
  const reason =
    cards.length === 0 ? 'its driver may be missing from the bootstrap' : cards.map(formatMissing).join('; ');
  return `no network card has the address ${mac} (yet): ${reason}`;
}

/** The name of the interface with this address; VLANs and bridges that share it have no `device`. */
export function findInterface(host: Host, mac: Mac, root = '/sys/class/net'): string | undefined {
  return host.list(root).find((name) => {
    const address = host.readText(`${root}/${name}/address`)?.trim().toLowerCase();
    return address === mac && host.list(`${root}/${name}/device`).length > 0;
  });
}

/**
 * Arguments of the process that keeps the lease. No client identifier: firmware sends none or another one, and a
 * server that goes by it would give a second address in the same power cycle. `-A 3`: asks again soon, for ever.
 */
export function dhcpArguments(network: { interface: string; script: string; address?: string }): readonly string[] {
  const request = network.address === undefined ? [] : ['-r', network.address];
  const pace = ['-t', '8', '-T', '2', '-A', '3'];
  const base = ['udhcpc', '-f', '-C', '-i', network.interface, '-s', network.script];
  return [...base, ...pace, '-V', 'boottorrent', ...request];
}

function startDhcp(host: Host, name: string, paths: Paths): Child {
  return host.start(dhcpArguments({ interface: name, script: paths.leaseScript }));
}

/** Reading `carrier` of an interface that is down is an error, which gives ''. */
function hasCarrier(host: Host, name: string): boolean {
  return host.readText(`/sys/class/net/${name}/carrier`)?.trim() === '1';
}

function waitFor<T>(
  host: Host,
  look: () => T | undefined,
  options: { reason: () => string; say: Say; meanwhile?: () => void },
): T {
  for (let nextMs = host.uptimeMs() + reasonEveryMs; ; host.sleep(100)) {
    const found = look();
    if (found !== undefined) return found;
    if (host.uptimeMs() < nextMs) continue;
    nextMs = host.uptimeMs() + reasonEveryMs;
    options.say(options.reason());
    options.meanwhile?.();
  }
}
