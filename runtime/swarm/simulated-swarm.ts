import { openPolicy, type PeerId, type Policy, type PolicyEvent, type Show, step } from './policy.ts';

/** How a simulated peer behaves; rates are pieces per second. */
export interface SimulatedPeer {
  readonly uploadRate: number;
  readonly downloadRate: number;
  readonly joinAtMs?: number;
  readonly leaveAtMs?: number;
  readonly leavesWhenComplete?: boolean;
  /** `liar` claims to have everything and has nothing; `hoarder` downloads and never uploads; `mute` never asks. */
  readonly kind?: 'honest' | 'liar' | 'hoarder' | 'mute';
}

export interface SimulationOptions {
  readonly pieceCount: number;
  readonly peers: readonly SimulatedPeer[];
  /** Pieces per second of the origin's link. */
  readonly originRate: number;
  readonly random: () => number;
  readonly windowPieces?: number;
  /** The origin ends when it has sent that many copies. Default: never. */
  readonly originCopies?: number;
  /** Whether peers reach each other. Default: all do. */
  readonly isReachable?: (from: PeerId, to: PeerId) => boolean;
  readonly limitMs: number;
}

export interface SimulationResult {
  /** When each peer was complete; undefined: never. */
  readonly completeAtMs: readonly (number | undefined)[];
  /** What the origin sent, in copies. */
  readonly originCopies: number;
}

interface Node {
  readonly id: PeerId;
  readonly is: SimulatedPeer;
  readonly pieces: Set<number>;
  readonly shown: Set<number>;
  /** By source (-1: the origin): the piece and how much of it is there. */
  readonly downloads: Map<PeerId, { readonly piece: number; done: number }>;
  isHere: boolean;
  completeAtMs: number | undefined;
}

const origin = -1;
const stepMs = 10;

/**
 * A swarm on a virtual clock: a sender's rate is shared evenly by its downloads, and every node fetches one piece from
 * every source at a time, rarest first among what it sees.
 */
export function simulateSwarm(options: SimulationOptions): SimulationResult {
  const { pieceCount, random, windowPieces } = options;
  const policy = openPolicy({ pieceCount, random, ...(windowPieces !== undefined && { windowPieces }) });
  const nodes = options.peers.map((is, id) => createNode(is, id));
  const swarm: Swarm = { options, policy, nodes, sentPieces: 0, atMs: 0 };
  for (; swarm.atMs < options.limitMs && !isOver(swarm); swarm.atMs += stepMs) {
    comeAndGo(swarm);
    if (swarm.atMs % 500 === 0) tell(swarm, { kind: 'tick', atMs: swarm.atMs });
    chooseAll(swarm);
    transferAll(swarm);
  }
  return { completeAtMs: nodes.map((node) => node.completeAtMs), originCopies: swarm.sentPieces / pieceCount };
}

interface Swarm {
  readonly options: SimulationOptions;
  readonly policy: Policy;
  readonly nodes: readonly Node[];
  sentPieces: number;
  atMs: number;
}

function createNode(is: SimulatedPeer, id: PeerId): Node {
  const node = { id, is, pieces: new Set<number>(), shown: new Set<number>(), downloads: new Map() };
  return { ...node, isHere: false, completeAtMs: undefined };
}

function isOver({ nodes, atMs }: Swarm): boolean {
  return nodes.every(
    ({ is, completeAtMs }) =>
      isFake(is) || completeAtMs !== undefined || atMs > (is.leaveAtMs ?? Number.POSITIVE_INFINITY),
  );
}

function isFake(is: SimulatedPeer): boolean {
  return is.kind === 'liar' || is.kind === 'mute';
}

function isOriginHere({ options, sentPieces }: Swarm): boolean {
  return sentPieces < (options.originCopies ?? Number.POSITIVE_INFINITY) * options.pieceCount;
}

function tell(swarm: Swarm, event: PolicyEvent): void {
  for (const show of step(swarm.policy, event)) note(swarm, show);
}

function note({ nodes, options }: Swarm, { peer, pieces }: Show): void {
  const all = pieces === 'all' ? Array.from({ length: options.pieceCount }, (_, piece) => piece) : pieces;
  for (const piece of all) nodes[peer]?.shown.add(piece);
}

function comeAndGo(swarm: Swarm): void {
  const { atMs } = swarm;
  for (const node of swarm.nodes) {
    const { joinAtMs = 0, leaveAtMs = Number.POSITIVE_INFINITY, leavesWhenComplete, kind } = node.is;
    if (!node.isHere && atMs >= joinAtMs && atMs < joinAtMs + stepMs) {
      node.isHere = true;
      const pieces = kind === 'liar' ? Array.from({ length: swarm.options.pieceCount }, (_, piece) => piece) : [];
      tell(swarm, { kind: 'join', peer: node.id, pieces, isTrusted: false, atMs });
    }
    if (node.isHere && (atMs >= leaveAtMs || (leavesWhenComplete && node.completeAtMs !== undefined))) {
      node.isHere = false;
      node.downloads.clear();
      for (const other of swarm.nodes) other.downloads.delete(node.id);
      tell(swarm, { kind: 'leave', peer: node.id, atMs });
    }
  }
}

function chooseAll(swarm: Swarm): void {
  const counts = new Array<number>(swarm.options.pieceCount).fill(0);
  for (const node of swarm.nodes) {
    if (node.isHere) for (const piece of node.pieces) counts[piece] = (counts[piece] ?? 0) + 1;
  }
  for (const node of swarm.nodes) {
    if (!node.isHere || isFake(node.is) || node.pieces.size === swarm.options.pieceCount) continue;
    if (isOriginHere(swarm)) choose(swarm, { node, source: origin, offered: node.shown, counts });
    else node.downloads.delete(origin);
    for (const other of swarm.nodes) {
      if (!other.isHere || other === node || other.is.kind === 'hoarder') continue;
      if (swarm.options.isReachable?.(other.id, node.id) === false) continue;
      choose(swarm, { node, source: other.id, offered: other.pieces, counts });
    }
  }
}

interface Choice {
  readonly node: Node;
  readonly source: PeerId;
  readonly offered: ReadonlySet<number>;
  readonly counts: readonly number[];
}

function choose(swarm: Swarm, { node, source, offered, counts }: Choice): void {
  if (node.downloads.has(source)) return;
  const busy = new Set([...node.downloads.values()].map((download) => download.piece));
  let best: { piece: number; rank: number } | undefined;
  for (const piece of offered) {
    if (node.pieces.has(piece) || busy.has(piece)) continue;
    const rank = (counts[piece] ?? 0) + swarm.options.random();
    if (!best || rank < best.rank) best = { piece, rank };
  }
  if (best) node.downloads.set(source, { piece: best.piece, done: 0 });
}

function transferAll(swarm: Swarm): void {
  const uses = new Map<PeerId, number>();
  for (const node of swarm.nodes) {
    for (const source of node.downloads.keys()) uses.set(source, (uses.get(source) ?? 0) + 1);
  }
  for (const node of swarm.nodes) {
    const rates = [...node.downloads.keys()].map((source) => ({
      source,
      rate: rateOf(swarm, source) / (uses.get(source) ?? 1),
    }));
    const total = rates.reduce((sum, { rate }) => sum + rate, 0);
    const scale = Math.min(1, node.is.downloadRate / total);
    for (const { source, rate } of rates) transfer(swarm, node, { source, pieces: (rate * scale * stepMs) / 1000 });
  }
}

function rateOf(swarm: Swarm, source: PeerId): number {
  return source === origin ? swarm.options.originRate : (swarm.nodes[source]?.is.uploadRate ?? 0);
}

function transfer(swarm: Swarm, node: Node, { source, pieces }: { source: PeerId; pieces: number }): void {
  const download = node.downloads.get(source);
  if (!download) return;
  download.done += pieces;
  if (source === origin) swarm.sentPieces += pieces;
  if (download.done < 1) return;
  node.downloads.delete(source);
  const { piece } = download;
  if (source === origin) tell(swarm, { kind: 'sent', peer: node.id, piece, atMs: swarm.atMs });
  node.pieces.add(piece);
  tell(swarm, { kind: 'have', peer: node.id, piece, atMs: swarm.atMs });
  if (node.pieces.size === swarm.options.pieceCount) node.completeAtMs = swarm.atMs + stepMs;
}
