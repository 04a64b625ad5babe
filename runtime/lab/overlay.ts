import { join } from 'node:path';
import type { LabNetwork } from './network.ts';

/**
 * What the lab lays over `boot.config.yaml`: its own network, store, keys and listeners. What is left (images, menu,
 * groups, the bootstrap's command line) is the site's own.
 * @param image the image that nodes of no group boot; absent: the menu's default
 */
export function labOverlay(options: {
  readonly network: LabNetwork;
  readonly statePath: string;
  readonly image?: string;
  readonly lease?: string;
  readonly dhcpMode?: 'full' | 'proxy';
}): object {
  const { network, statePath, image } = options;
  const range = { range: network.range };
  return {
    // This clone, as it is now: no remote repository can be reached from the lab's network.
    git: { remote: '.', branch: null, poll: '5s' },
    network: {
      interface: network.interface,
      address: network.address,
      dhcp: { mode: options.dhcpMode ?? 'full', lease: options.lease ?? '1h', ...range },
      http: { port: 8480 },
      status: `unix:${statusSocket(statePath)}`,
    },
    store: { path: join(statePath, 'store') },
    trust: { publicKeys: [] },
    ...(image !== undefined && { menu: { default: image, timeout: '0s' }, groups: [] }),
  };
}

/** Where the lab's runtime listens for people; the lab forwards a port of the host to it. */
export function statusSocket(statePath: string): string {
  return join(statePath, 'status.sock');
}
