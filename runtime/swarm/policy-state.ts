export type PeerId = number;

export interface PolicyOptions {
  readonly pieceCount: number;
  /** Pieces shown ahead to a peer at first. Default 3: measured best of 2, 3 and 8. `Infinity` is plain seeding. */
  readonly windowPieces?: number;
  /** From 0 to less than 1. */
  readonly random: () => number;
}

/** Flags of a piece for a peer. */
export const has = 1;
export const shown = 2;
export const sent = 4;
const certain = 8;

export interface Peer {
  readonly id: PeerId;
  readonly isTrusted: boolean;
  /** Flags per piece. */
  readonly flags: Uint8Array;
  /** When the pieces were shown of which no HAVE came yet. */
  readonly pending: Map<number, number>;
  readonly joinedAtMs: number;
  unsentCount: number;
  hasCount: number;
  progressAtMs: number;
  firstCertainAtMs: number | undefined;
  /** Pieces that others got which only this peer had. */
  spreadCount: number;
  isHoarder: boolean;
  /** Shown everything. */
  isOpen: boolean;
}

export interface Policy {
  readonly pieceCount: number;
  readonly windowPieces: number;
  readonly peers: Map<PeerId, Peer>;
  /** Next piece last. */
  readonly queue: number[];
  readonly isQueued: Uint8Array;
  /** Peers that hold a piece for certain. */
  readonly holders: Uint16Array;
  /** Who held it first. */
  readonly firstHolder: Map<number, PeerId>;
  outCount: number;
  /** Moving average from HAVE sent to HAVE received. */
  pieceMs: number;
}

export function openPolicy({ pieceCount, windowPieces = 3, random }: PolicyOptions): Policy {
  return {
    pieceCount,
    windowPieces,
    peers: new Map(),
    queue: shuffled(pieceCount, random),
    isQueued: new Uint8Array(pieceCount).fill(1),
    holders: new Uint16Array(pieceCount),
    firstHolder: new Map(),
    outCount: 0,
    pieceMs: 0,
  };
}

export function noteHave(policy: Policy, peer: Peer, { piece, atMs }: { piece: number; atMs: number }): void {
  const flags = flagsOf(peer, piece);
  if (piece >= policy.pieceCount || (flags & has) !== 0) return;
  setFlag(peer, piece, has);
  peer.hasCount++;
  peer.progressAtMs = atMs;
  const isCertain = peer.isTrusted || (flags & sent) !== 0;
  const shownAtMs = peer.pending.get(piece);
  if (shownAtMs !== undefined) {
    peer.pending.delete(piece);
    if ((flags & sent) === 0) peer.unsentCount--;
    else policy.pieceMs += (atMs - shownAtMs - policy.pieceMs) / 8;
    if (!isCertain) giveBack(policy, piece);
  }
  if ((flags & sent) === 0) creditFirstHolder(policy, piece, peer);
  if (isCertain) makeCertain(policy, peer, { piece, atMs });
}

function makeCertain(policy: Policy, peer: Peer, { piece, atMs }: { piece: number; atMs: number }): void {
  if (peer.isHoarder) {
    giveBack(policy, piece);
    return;
  }
  setFlag(peer, piece, certain);
  peer.firstCertainAtMs ??= atMs;
  if (count(policy.holders, piece, 1) > 1) return;
  policy.outCount++;
  policy.firstHolder.set(piece, peer.id);
  if (policy.isQueued[piece] === 0) return;
  policy.isQueued[piece] = 0;
  policy.queue.splice(policy.queue.lastIndexOf(piece), 1);
}

function creditFirstHolder(policy: Policy, piece: number, taker: Peer): void {
  const giver = policy.peers.get(policy.firstHolder.get(piece) ?? -1);
  const givers = giver ? [giver] : [...policy.peers.values()].filter((peer) => peer.isHoarder && hasPiece(peer, piece));
  for (const one of givers) {
    if (one === taker) continue;
    one.spreadCount++;
    one.isHoarder = false;
  }
}

/** Takes back all that a peer held for certain. */
export function revoke(policy: Policy, peer: Peer): void {
  for (let piece = 0; piece < policy.pieceCount; piece++) {
    if ((flagsOf(peer, piece) & certain) === 0) continue;
    peer.flags[piece] = flagsOf(peer, piece) & ~certain;
    if (count(policy.holders, piece, -1) > 0) continue;
    policy.outCount--;
    policy.firstHolder.delete(piece);
    giveBack(policy, piece);
  }
}

/** To the front of the queue. */
export function giveBack(policy: Policy, piece: number): void {
  if (policy.isQueued[piece] === 1 || (policy.holders[piece] ?? 0) > 0) return;
  policy.isQueued[piece] = 1;
  policy.queue.push(piece);
}

export function take(policy: Policy, peer: Peer): number | undefined {
  for (let at = policy.queue.length - 1; at >= 0; at--) {
    const piece = policy.queue[at] as number;
    if ((flagsOf(peer, piece) & (has | shown)) !== 0) continue;
    policy.queue.splice(at, 1);
    policy.isQueued[piece] = 0;
    return piece;
  }
  return undefined;
}

export function flagsOf(peer: Peer, piece: number): number {
  return peer.flags[piece] ?? 0;
}

function hasPiece(peer: Peer, piece: number): boolean {
  return (flagsOf(peer, piece) & has) !== 0;
}

export function setFlag(peer: Peer, piece: number, flag: number): void {
  peer.flags[piece] = flagsOf(peer, piece) | flag;
}

function count(counts: Uint16Array, index: number, change: number): number {
  const value = (counts[index] ?? 0) + change;
  counts[index] = value;
  return value;
}

/** Fisher–Yates. */
function shuffled(length: number, random: () => number): number[] {
  const order = Array.from({ length }, (_, index) => index);
  for (let index = length - 1; index > 0; index--) {
    const other = Math.floor(random() * (index + 1));
    [order[index], order[other]] = [order[other] as number, order[index] as number];
  }
  return order;
}
