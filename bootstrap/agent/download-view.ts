/** By which way the bytes of a download come now. */
export type DownloadStage = 'swarm' | 'web-seed' | 'http';

/** How far a download is. */
export interface DownloadState {
  readonly doneBytes: number;
  readonly totalBytes: number;
  readonly bytesPerSecond: number;
  readonly peers: number;
  /** Bytes that came from the server's origin by BitTorrent. */
  readonly originBytes: number;
  /** Bytes that came by HTTP: the web seed or whole files. */
  readonly httpBytes: number;
  readonly stage: DownloadStage;
}

/** Shows a download to the person at the node. It decides itself how often it draws. */
export interface DownloadView {
  show(state: DownloadState): void;
  /** Ends it: the console is as before. Called once, also after a fault. */
  close(): void;
}
