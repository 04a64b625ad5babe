/** What an installed site is made of: users, directories and units. */
export const layout = {
  daemonUser: 'boottorrent',
  builderUser: 'boottorrent-build',
  daemonState: '/var/lib/boottorrent',
  builderState: '/var/lib/boottorrent-build',
  builderStore: '/var/lib/boottorrent-build/store',
  builderSocket: '/run/boottorrent-build.sock',
} as const;

/** What differs from one installed site to another. */
export interface Installation {
  /** Absolute path of `boot.config.yaml`. */
  readonly configPath: string;
  /** Absolute path of Node 24. */
  readonly nodePath: string;
  /** Absolute path of this program's main module. */
  readonly programPath: string;
  /** `network.interface`. */
  readonly interface: string;
  /** The sockets that the site needs: only `tftp` where it answers no DHCP. */
  readonly sockets: readonly BootSocket[];
}

export interface BootSocket {
  readonly name: string;
  readonly port: number;
}

/** A file to be written. */
export interface InstalledFile {
  readonly path: string;
  readonly text: string;
}
