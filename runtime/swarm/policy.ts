/**
 * Windowed super-seeding: which peer the origin shows (by HAVE) which piece, so that the first copies it sends are all
 * of different pieces, and the nodes fetch the rest from each other.
 *
 * State: a queue of the pieces that nobody was shown, in random order; per peer what it has, was shown, was sent; per
 * piece how many peers hold it for certain. What always holds:
 * - A piece is *out* while a connected peer holds it for certain: the origin sent it all of the piece and it said HAVE,
 *   or it is a node that the caller trusts. What a peer merely claims never counts.
 * - A piece that is not out is in the queue, or was shown to a peer lately.
 * - While a piece is not out, a peer is shown at most its window of pieces that were not sent yet.
 * - When all pieces are out, every peer is shown everything (plain seeding), and so is a peer that gets nowhere.
 *
 * The state is changed in place: a HAVE of one of 500 peers must not copy it.
 */
import {
  flagsOf,
  giveBack,
  noteHave,
  type Peer,
  type PeerId,
  type Policy,
  revoke,
  sent,
  setFlag,
  shown,
  take,
} from './policy-state.ts';

export { openPolicy, type PeerId, type Policy, type PolicyOptions } from './policy-state.ts';

/** What happened, in the order in which it did; `atMs` never goes back. */
export type PolicyEvent = { readonly atMs: number } & (
  | {
      /** A peer that told what it has. */
      readonly kind: 'join';
      readonly peer: PeerId;
      readonly pieces: readonly number[];
      /** A node with a live boot session: its HAVE counts without the origin having sent the piece. */
      readonly isTrusted: boolean;
    }
  | { readonly kind: 'have'; readonly peer: PeerId; readonly piece: number }
  /** All bytes of a piece were handed to the peer's socket. */
  | { readonly kind: 'sent'; readonly peer: PeerId; readonly piece: number }
  | { readonly kind: 'leave'; readonly peer: PeerId }
  /** Twice a second: finds what stands still. */
  | { readonly kind: 'tick' }
);

/** Pieces that a peer is to be told of, each by a HAVE; `all`: whatever it was not told yet. */
export interface Show {
  readonly peer: PeerId;
  readonly pieces: 'all' | readonly number[];
}

/** Times are milliseconds; those of a swarm with large pieces on slow links grow with its usual time for a piece. */
const staleMs = { min: 2000, pieces: 4 } as const;
const spreadMs = { min: 10_000, pieces: 8 } as const;
const stuckMs = { min: 5000, pieces: 8 } as const;

/** Whether every piece is held for certain by a peer that is connected. */
export function isCopyOut(policy: Policy): boolean {
  return policy.windowPieces === Number.POSITIVE_INFINITY || policy.outCount === policy.pieceCount;
}

/** Takes note of what happened, and says what is to be shown now. Events of unknown peers and pieces do nothing. */
export function step(policy: Policy, event: PolicyEvent): readonly Show[] {
  switch (event.kind) {
    case 'join':
      return join(policy, event);
    case 'have':
      return have(policy, event);
    case 'sent':
      return pieceSent(policy, event);
    case 'leave':
      return leave(policy, event.peer, event.atMs);
    case 'tick':
      return tick(policy, event.atMs);
    default:
      return event satisfies never;
  }
}

function join(policy: Policy, event: PolicyEvent & { kind: 'join' }): readonly Show[] {
  const peer: Peer = {
    id: event.peer,
    isTrusted: event.isTrusted,
    flags: new Uint8Array(policy.pieceCount),
    pending: new Map(),
    joinedAtMs: event.atMs,
    unsentCount: 0,
    hasCount: 0,
    progressAtMs: event.atMs,
    firstCertainAtMs: undefined,
    spreadCount: 0,
    isHoarder: false,
    isOpen: false,
  };
  policy.peers.set(peer.id, peer);
  for (const piece of event.pieces) noteHave(policy, peer, { piece, atMs: event.atMs });
  return fillAfterChange(policy, peer, event.atMs);
}

function have(policy: Policy, { peer: id, piece, atMs }: PolicyEvent & { kind: 'have' }): readonly Show[] {
  const peer = policy.peers.get(id);
  if (!peer || piece >= policy.pieceCount) return [];
  noteHave(policy, peer, { piece, atMs });
  return fillAfterChange(policy, peer, atMs);
}

function pieceSent(policy: Policy, { peer: id, piece, atMs }: PolicyEvent & { kind: 'sent' }): readonly Show[] {
  const peer = policy.peers.get(id);
  if (!peer || piece >= policy.pieceCount || (flagsOf(peer, piece) & sent) !== 0) return [];
  peer.progressAtMs = atMs;
  if (peer.pending.has(piece)) peer.unsentCount--;
  setFlag(peer, piece, sent);
  return peer.isOpen ? [] : fill(policy, peer, atMs);
}

/** Gives back what the peer had not finished, and what nobody else holds. */
function leave(policy: Policy, id: PeerId, atMs: number): readonly Show[] {
  const peer = policy.peers.get(id);
  if (!peer) return [];
  policy.peers.delete(id);
  revoke(policy, peer);
  for (const piece of peer.pending.keys()) giveBack(policy, piece);
  return fillAll(policy, atMs);
}

function tick(policy: Policy, atMs: number): readonly Show[] {
  const leechers = [...policy.peers.values()].filter((peer) => peer.hasCount < policy.pieceCount);
  for (const peer of leechers) {
    const staleBefore = atMs - limitMs(policy, staleMs);
    for (const [piece, shownAtMs] of peer.pending) {
      if (shownAtMs >= staleBefore) continue;
      peer.pending.set(piece, atMs);
      giveBack(policy, piece);
    }
    if (!peer.isHoarder && hoards(policy, { peer, leechers, atMs })) {
      peer.isHoarder = true;
      revoke(policy, peer);
    }
  }
  const stuckBefore = atMs - limitMs(policy, stuckMs);
  const stuck = leechers.filter((peer) => !peer.isOpen && peer.progressAtMs < stuckBefore);
  return [...stuck.map((peer) => open(peer)), ...fillAll(policy, atMs)];
}

/** Whether a peer keeps for itself what only it was sent, though others have waited for it long enough. */
function hoards(policy: Policy, about: { peer: Peer; leechers: readonly Peer[]; atMs: number }): boolean {
  const { peer, leechers, atMs } = about;
  const before = atMs - limitMs(policy, spreadMs);
  if (peer.spreadCount > 0 || peer.firstCertainAtMs === undefined || peer.firstCertainAtMs > before) return false;
  return leechers.some((other) => other !== peer && other.joinedAtMs < before && other.hasCount < policy.outCount);
}

function fillAfterChange(policy: Policy, peer: Peer, atMs: number): readonly Show[] {
  return isCopyOut(policy) ? fillAll(policy, atMs) : fill(policy, peer, atMs);
}

function fillAll(policy: Policy, atMs: number): readonly Show[] {
  const peers = [...policy.peers.values()].filter((peer) => !peer.isOpen);
  return isCopyOut(policy) ? peers.map(open) : peers.flatMap((peer) => fill(policy, peer, atMs));
}

function open(peer: Peer): Show {
  peer.isOpen = true;
  return { peer: peer.id, pieces: 'all' };
}

function fill(policy: Policy, peer: Peer, atMs: number): readonly Show[] {
  if (peer.isOpen || !isEligible(policy, peer)) return [];
  const window = windowOf(policy);
  const pieces: number[] = [];
  while (peer.unsentCount < window) {
    const piece = take(policy, peer);
    if (piece === undefined) break;
    setFlag(peer, piece, shown);
    peer.pending.set(piece, atMs);
    peer.unsentCount++;
    pieces.push(piece);
  }
  return pieces.length === 0 ? [] : [{ peer: peer.id, pieces }];
}

/** A hoarder waits until the copy is out, unless there are only hoarders (nodes that cannot reach each other). */
function isEligible(policy: Policy, peer: Peer): boolean {
  if (!peer.isHoarder) return true;
  return [...policy.peers.values()].every((other) => other.isHoarder || other.hasCount === policy.pieceCount);
}

/**
 * Smaller where the peers are so many that their windows would hold a large part of all pieces. Two pieces on their way
 * while a third is asked for did not slow down a single node on an unlimited link, measured with 256 KiB and 1 MiB.
 */
function windowOf(policy: Policy): number {
  return Math.max(1, Math.min(policy.windowPieces, Math.floor(policy.pieceCount / (4 * policy.peers.size))));
}

function limitMs(policy: Policy, limit: { readonly min: number; readonly pieces: number }): number {
  return Math.max(limit.min, limit.pieces * policy.pieceMs);
}
