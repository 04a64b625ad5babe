import type { SessionId } from '#bundle/digest.ts';

/** Where a peer listens. */
export interface PeerAddress {
  readonly address: string;
  readonly port: number;
}

/** One node in a swarm. Its session says that it is one of ours; its address is that of its connection. */
export interface TrackedPeer extends PeerAddress {
  readonly leftBytes: number;
  readonly joinedAtMs: number;
  readonly expiresAtMs: number;
}

/** Who takes part in one torrent, by boot session. Changed only by {@link announce}, which returns a new one. */
export interface TrackedSwarm {
  /** Always the first peer of a reply. */
  readonly origin: PeerAddress;
  readonly peers: ReadonlyMap<SessionId, TrackedPeer>;
}

export interface AnnounceRequest extends PeerAddress {
  readonly session: SessionId;
  readonly leftBytes: number;
  readonly event?: 'started' | 'stopped' | 'completed';
  /** Peers wanted beside the origin. Default 50, at most 100. */
  readonly peersWanted?: number;
}

/** `failure`: in the words of the protocol (BEP 3), and alone. */
export type AnnounceReply =
  | { readonly kind: 'failure'; readonly reason: string }
  | {
      readonly kind: 'peers';
      /** Until the next announce, and not before. */
      readonly intervalSeconds: number;
      /** Peers that have everything, the origin among them; and those that have not. */
      readonly completeCount: number;
      readonly incompleteCount: number;
      readonly peers: readonly PeerAddress[];
    };

/** While peers come, those that came at the same moment must learn of each other soon. */
const intervalSeconds = { young: 2, downloading: 15, seeding: 60 } as const;
const youngMs = 30_000;
/** An announce may come that late before its peer is forgotten. */
const graceMs = 20_000;
const wanted = { default: 50, limit: 100 } as const;
const peerLimit = 10_000;

export function emptySwarm(origin: PeerAddress): TrackedSwarm {
  return { origin, peers: new Map() };
}

/**
 * Takes an announce of a node whose session the caller has checked.
 * @param now the clock in milliseconds, and dice from 0 to less than 1 (which peers, where they are too many)
 */
export function announce(
  swarm: TrackedSwarm,
  request: AnnounceRequest,
  now: { readonly atMs: number; readonly random: () => number },
): { readonly swarm: TrackedSwarm; readonly reply: AnnounceReply } {
  const peers = new Map([...swarm.peers].filter(([, peer]) => peer.expiresAtMs > now.atMs));
  const reason = refusal(peers, request);
  if (reason !== undefined) return { swarm: { ...swarm, peers }, reply: { kind: 'failure', reason } };
  // A node that boots again has the address of its last session: that one is over.
  for (const [session, peer] of peers) {
    if (peer.address === request.address && session !== request.session) peers.delete(session);
  }
  const joinedAtMs = peers.get(request.session)?.joinedAtMs ?? now.atMs;
  const seconds = intervalFor([...peers.values()], request, { atMs: now.atMs, joinedAtMs });
  const { address, port, leftBytes } = request;
  if (request.event === 'stopped') peers.delete(request.session);
  else
    peers.set(request.session, {
      address,
      port,
      leftBytes,
      joinedAtMs,
      expiresAtMs: now.atMs + 2000 * seconds + graceMs,
    });
  const known = [...peers.values()];
  const incompleteCount = known.filter((peer) => peer.leftBytes > 0).length;
  const reply = {
    kind: 'peers' as const,
    intervalSeconds: seconds,
    completeCount: 1 + known.length - incompleteCount,
    incompleteCount,
    peers: [swarm.origin, ...choosePeers(known, request, now.random)],
  };
  return { swarm: { ...swarm, peers }, reply };
}

function refusal(peers: ReadonlyMap<SessionId, TrackedPeer>, request: AnnounceRequest): string | undefined {
  const known = peers.get(request.session);
  if (known && known.address !== request.address) return 'this boot session belongs to another address';
  return !known && peers.size >= peerLimit ? 'too many peers' : undefined;
}

function intervalFor(
  peers: readonly TrackedPeer[],
  request: AnnounceRequest,
  times: { readonly atMs: number; readonly joinedAtMs: number },
): number {
  if (request.leftBytes === 0) return intervalSeconds.seeding;
  const lastMs = Math.max(times.joinedAtMs, ...peers.map((peer) => peer.joinedAtMs));
  return times.atMs - lastMs < youngMs ? intervalSeconds.young : intervalSeconds.downloading;
}

/** Who has everything is told only of those who have not. */
function choosePeers(
  peers: readonly TrackedPeer[],
  request: AnnounceRequest,
  random: () => number,
): readonly PeerAddress[] {
  if (request.event === 'stopped') return [];
  const others = peers.filter(
    (peer) => peer.address !== request.address && (request.leftBytes > 0 || peer.leftBytes > 0),
  );
  const count = Math.min(request.peersWanted ?? wanted.default, wanted.limit, others.length);
  for (let index = 0; index < count; index++) {
    const other = index + Math.floor(random() * (others.length - index));
    [others[index], others[other]] = [others[other] as TrackedPeer, others[index] as TrackedPeer];
  }
  return others.slice(0, count).map(({ address, port }) => ({ address, port }));
}
