/** Where things are in the bootstrap. What lies below `run` moves into the new root with /run. */
export interface Paths {
  /** Minisign public keys of the site, `*.pub`. */
  readonly keys: string;
  /** Seconds since 1970 of the newest file that the bootstrap was built from. */
  readonly buildTime: string;
  readonly leaseScript: string;
  /** Mount point of the new root. */
  readonly newRoot: string;
  /** A tmpfs: downloaded files, and the programs that go on running (`init` has put them there). */
  readonly run: string;
}

export const bootstrapPaths: Paths = {
  keys: '/etc/boottorrent/keys',
  buildTime: '/etc/boottorrent/build-time',
  leaseScript: '/etc/boottorrent/lease-script',
  newRoot: '/newroot',
  run: '/run/boottorrent',
};
