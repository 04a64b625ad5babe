import type { InfoHash, SessionId } from '#bundle/digest.ts';
import type { Emit } from '../boot/event.ts';
import { type AnnounceReply, announce, emptySwarm, type PeerAddress, type TrackedSwarm } from './announce.ts';
import { encodeReply, parseAnnounceQuery } from './codec.ts';

export interface TrackerOptions {
  /** Where the origin listens for peers, as nodes reach it. */
  readonly origin: () => PeerAddress;
  /** Whether a node of that session and address may take part. */
  readonly admits: (session: SessionId, address: string) => boolean;
  readonly emit: Emit;
  /** From 0 to less than 1. */
  readonly random: () => number;
}

export interface AnnounceCall {
  readonly session: SessionId;
  /** Raw query string, without `?`. */
  readonly query: string;
  /** The connection's: it is the peer's address, whatever the query says. */
  readonly remoteAddress: string;
  /** Milliseconds since 1970. */
  readonly nowMs: number;
}

/** A private tracker: knows the registered torrents only, and answers only nodes with a boot session. */
export interface Tracker {
  register(infoHash: InfoHash): void;
  unregister(infoHash: InfoHash): void;
  /** The body of the reply, always with status 200: what is wrong is said in it (BEP 3). */
  handleAnnounce(call: AnnounceCall): Buffer;
  /** Peers known of a torrent, the origin left out. */
  peersOf(infoHash: InfoHash): readonly PeerAddress[];
}

export function createTracker(options: TrackerOptions): Tracker {
  const swarms = new Map<InfoHash, TrackedSwarm>();
  return {
    register(infoHash) {
      if (!swarms.has(infoHash)) swarms.set(infoHash, emptySwarm(options.origin()));
    },
    unregister: (infoHash) => void swarms.delete(infoHash),
    peersOf: (infoHash) => [...(swarms.get(infoHash)?.peers.values() ?? [])],
    handleAnnounce(call) {
      const query = parseAnnounceQuery(call.query);
      const isCompact = typeof query === 'string' || query.isCompact;
      return Buffer.from(encodeReply(answer(swarms, { call, query, options }), isCompact));
    },
  };
}

function answer(
  swarms: Map<InfoHash, TrackedSwarm>,
  about: { call: AnnounceCall; query: ReturnType<typeof parseAnnounceQuery>; options: TrackerOptions },
): AnnounceReply {
  const { call, query, options } = about;
  if (typeof query === 'string') return { kind: 'failure', reason: query };
  const { session, nowMs } = call;
  const address = call.remoteAddress.replace(/^::ffff:/, '');
  const swarm = swarms.get(query.infoHash);
  if (!swarm) return { kind: 'failure', reason: 'no such torrent here' };
  if (!/^\d+\.\d+\.\d+\.\d+$/.test(address) || !options.admits(session, address)) {
    return { kind: 'failure', reason: 'no such boot session' };
  }
  const { infoHash, isCompact: _, ...rest } = query;
  const now = { atMs: nowMs, random: options.random };
  const next = announce({ ...swarm, origin: options.origin() }, { ...rest, session, address }, now);
  swarms.set(infoHash, next.swarm);
  options.emit({ kind: 'announce', atMs: nowMs, session, address, infoHash, leftBytes: query.leftBytes });
  return next.reply;
}
