import type { Mac } from '#bundle/digest.ts';
import type { Lease } from './lease.ts';

/** A file of the new root. */
export interface TargetFile {
  readonly path: string;
  readonly text: string;
}

export interface Identity {
  /** 32 hexadecimal digits, for machine-id(5). */
  readonly machineId: string;
  readonly hostname: string;
}

/** @param digest SHA-256 of {@link identitySeed}: the same machine in the same site always is the same */
export function identity(mac: Mac, lease: Lease, digest: string): Identity {
  return { machineId: digest.slice(0, 32), hostname: lease.hostname ?? `node-${mac.replaceAll(':', '')}` };
}

export function identitySeed(site: string, mac: Mac): string {
  return `${site}\n${mac}\n`;
}

/**
 * What makes this node another one than its neighbour, and what hands the network over: the address stays on the NIC
 * as it is, and whatever manages networks in the target is told to leave this NIC alone, since our own process renews
 * the lease. Without `NamePolicy=`, udev would rename the NIC under it.
 */
export function targetFiles(node: { identity: Identity; mac: Mac; lease: Lease }): readonly TargetFile[] {
  const { identity, mac, lease } = node;
  const name = lease.domain === undefined ? '' : `${identity.hostname}.${lease.domain} `;
  const hosts = ['127.0.0.1\tlocalhost', `127.0.1.1\t${name}${identity.hostname}`, '::1\tlocalhost ip6-localhost'];
  const search = lease.domain === undefined ? [] : [`search ${lease.domain}`];
  return [
    { path: 'etc/machine-id', text: `${identity.machineId}\n` },
    { path: 'etc/hostname', text: `${identity.hostname}\n` },
    { path: 'etc/hosts', text: lines(hosts) },
    { path: 'etc/resolv.conf', text: lines([...search, ...lease.dns.map((one) => `nameserver ${one}`)]) },
    {
      path: 'run/systemd/network/10-boottorrent.link',
      text: lines(['[Match]', `MACAddress=${mac}`, '[Link]', 'NamePolicy=']),
    },
    {
      path: 'run/systemd/network/10-boottorrent.network',
      text: lines(['[Match]', `MACAddress=${mac}`, '[Link]', 'Unmanaged=yes']),
    },
    {
      path: 'run/NetworkManager/conf.d/10-boottorrent.conf',
      text: lines(['[keyfile]', `unmanaged-devices=mac:${mac}`]),
    },
  ];
}

function lines(all: readonly string[]): string {
  return all.map((line) => `${line}\n`).join('');
}
