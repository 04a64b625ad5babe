/** A torrent that was checked already, and the folder that its own folder is made in. */
export interface SwarmTorrent {
  readonly torrentPath: string;
  readonly directory: string;
}

/** How a torrent stands. Rates are of now; `doneBytes` counts pieces whose SHA-1 was checked. */
export interface TorrentState {
  readonly doneBytes: number;
  readonly totalBytes: number;
  readonly receiveBytesPerSecond: number;
  readonly sendBytesPerSecond: number;
  readonly peers: number;
  readonly isComplete: boolean;
  /** Set when the client gave this torrent up. */
  readonly error?: string;
}

/** Where the client's program and libraries are, and what its process runs in. */
export interface SwarmPrograms {
  /** What comes before the client's own arguments: the program, perhaps with its loader or a chroot. */
  readonly command: readonly string[];
}

/**
 * The node's BitTorrent client: a process beside the agent. Shaped so that a program on libtorrent fits as well, which
 * can be handed peers; aria2 finds them by the tracker in the torrent.
 */
export interface SwarmNode {
  /** Begins to download, and then seeds. @throws Fault `SWARM_FAILED` */
  add(torrent: SwarmTorrent): void;
  /** The state of each torrent in the order in which they were added; undefined while the client does not answer. */
  states(): readonly TorrentState[] | undefined;
  /**
   * From now on the missing pieces of a torrent come also by HTTP, beside the swarm (BEP 19).
   * @param torrent as in {@link SwarmNode.states}
   * @param urls of its files, by name
   */
  addWebSeed(torrent: number, urls: ReadonlyMap<string, string>): void;
  /** Why the client is not there any more; undefined while it runs. */
  ended(): string | undefined;
  stop(): void;
}
