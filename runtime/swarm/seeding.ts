import type { PeerConnection, PeerSwarm } from './peer-connection.ts';
import { openPieceReader, type PieceReader } from './piece-reader.ts';
import { isCopyOut, openPolicy, type PolicyEvent, step } from './policy.ts';
import type { SeedBundle } from './seed-bundle.ts';

export interface SeedingOptions {
  readonly bundle: SeedBundle;
  readonly nowMs: () => number;
  readonly random: () => number;
  readonly isTrusted: (address: string) => boolean;
  readonly windowPieces?: number;
}

/** One bundle that the origin seeds: its files, its policy, its peers. */
export interface Seeding {
  readonly bundle: SeedBundle;
  readonly swarm: PeerSwarm;
  readonly peerCount: () => number;
  add(peer: PeerConnection): void;
  tick(): void;
  /** Payload bytes sent per address since the last call. */
  takeSentBytes(): ReadonlyMap<string, number>;
  close(): Promise<void>;
}

/** @throws Fault `SEED_FILE_CHANGED` */
export async function openSeeding(options: SeedingOptions): Promise<Seeding> {
  return createSeeding(options, await openPieceReader(options.bundle));
}

function createSeeding(options: SeedingOptions, reader: PieceReader): Seeding {
  const { bundle, nowMs, random, isTrusted, windowPieces } = options;
  const { pieceCount } = bundle;
  const policy = openPolicy({ pieceCount, random, ...(windowPieces !== undefined && { windowPieces }) });
  const peers = new Map<number, PeerConnection>();
  let sentBytes = new Map<string, number>();

  function tell(event: PolicyEvent): void {
    for (const { peer, pieces } of step(policy, event)) peers.get(peer)?.show(pieces);
  }
  return {
    bundle,
    swarm: {
      pieceCount,
      reader,
      isCopyOut: () => isCopyOut(policy),
      onJoin: ({ id, address }, pieces) =>
        tell({ kind: 'join', peer: id, pieces, isTrusted: isTrusted(address), atMs: nowMs() }),
      onHave: ({ id }, piece) => tell({ kind: 'have', peer: id, piece, atMs: nowMs() }),
      onPieceSent: ({ id }, piece) => tell({ kind: 'sent', peer: id, piece, atMs: nowMs() }),
      onBytesSent: ({ address }, sizeBytes) => sentBytes.set(address, (sentBytes.get(address) ?? 0) + sizeBytes),
      onClose: ({ id }) => {
        peers.delete(id);
        tell({ kind: 'leave', peer: id, atMs: nowMs() });
      },
    },
    peerCount: () => peers.size,
    add: (peer) => peers.set(peer.id, peer),
    tick: () => tell({ kind: 'tick', atMs: nowMs() }),
    takeSentBytes() {
      const taken = sentBytes;
      sentBytes = new Map();
      return taken;
    },
    async close() {
      for (const peer of [...peers.values()]) peer.close();
      await reader.close();
    },
  };
}
