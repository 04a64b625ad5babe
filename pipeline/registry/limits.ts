/** How much a registry may try our patience. */
export interface RegistryLimits {
  /** An answer must begin, and each byte follow, within this time. Default: 30 s. */
  readonly patienceMs: number;
  /** A body that brings fewer bytes than these in `patienceMs` of waiting is given up. Default: 30 KiB. */
  readonly patienceBytes: number;
  /** Tries of one request that meets a broken connection, "too many requests" or a server's fault. Default: 4. */
  readonly tries: number;
  /** The pause before the second try; it doubles. Default: 500 ms. */
  readonly pauseMs: number;
  /** Bytes of an upload that go in one request, and that a broken one costs at most. Default: 32 MiB. */
  readonly chunkBytes: number;
}

export const registryLimits: RegistryLimits = {
  patienceMs: 30_000,
  patienceBytes: 30 * 1024,
  tries: 4,
  pauseMs: 500,
  chunkBytes: 32 * 1024 * 1024,
};

/** The same host may send a client elsewhere so often for one request. */
export const redirectLimit = 5;
/** Of an OCI manifest: what registries accept at most. */
export const manifestLimitBytes = 4 * 1024 * 1024;
