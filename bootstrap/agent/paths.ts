/** Where things are in the bootstrap. What lies below `run` moves into the new root with /run. */
export interface Paths {
  /** Minisign public keys of the site, `*.pub`. */
  readonly keys: string;
  /** Seconds since 1970 of the newest file that the bootstrap was built from. */
  readonly buildTime: string;
  /** One library or program a line: what goes on running in the new system. */
  readonly programs: string;
  readonly leaseScript: string;
  /** Mount point of the new root. */
  readonly newRoot: string;
  /** The tmpfs of stated size: downloaded files and the programs that go on running. */
  readonly run: string;
}

export const bootstrapPaths: Paths = {
  keys: '/etc/boottorrent/keys',
  buildTime: '/etc/boottorrent/build-time',
  programs: '/etc/boottorrent/programs',
  leaseScript: '/etc/boottorrent/lease-script',
  newRoot: '/newroot',
  run: '/run/boottorrent',
};
