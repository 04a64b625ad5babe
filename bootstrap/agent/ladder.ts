/**
 * When a download that stands still goes to the next way: swarm → web seed (the same pieces, from the server by HTTP,
 * beside the swarm) → HTTP by file, without the swarm. Nothing that came is lost at the first step, all that is not
 * a whole file at the second: that one is for a client or a torrent that does not work at all, so it is taken only
 * where the server is seen to answer. Where it does not, there is nothing better than to wait with what is there.
 */
export interface Sight {
  readonly atMs: number;
  readonly doneBytes: number;
  readonly bytesPerSecond: number;
  /** When the server answered last; undefined: never. */
  readonly serverAtMs: number | undefined;
}

export type LadderStep = { readonly kind: 'stay' } | { readonly kind: 'web-seed' | 'http'; readonly reason: string };

export interface Ladder {
  /** What to do now. `web-seed` comes once. */
  step(sight: Sight): LadderStep;
}

/**
 * Without a byte for this long, by a client whose rate takes 10 s to come down to nothing. Up to half is added, so that
 * a room does not turn to the server at once.
 */
const silentMs = { 'web-seed': 6000, http: 20_000 } as const;
/** Bytes that never make a good piece: a peer sends garbage, or the torrent is not of these files. */
const uselessMs = 120_000;

/** @param dice from 0 to 1 */
export function openLadder(startMs: number, dice: number): Ladder {
  let next: 'web-seed' | 'http' = 'web-seed';
  let byteAtMs = startMs;
  let best = { doneBytes: 0, atMs: startMs };

  function step({ atMs, doneBytes, bytesPerSecond, serverAtMs }: Sight): LadderStep {
    if (doneBytes > best.doneBytes) best = { doneBytes, atMs };
    if (bytesPerSecond > 0 || best.atMs === atMs) byteAtMs = atMs;
    if (atMs - best.atMs > uselessMs && bytesPerSecond > 0) {
      return { kind: 'http', reason: `no good piece for ${uselessMs / 1000} s` };
    }
    const limitMs = silentMs[next] * (1 + dice / 2);
    if (atMs - byteAtMs <= limitMs) return { kind: 'stay' };
    const reason = `no byte for ${Math.round(limitMs / 1000)} s`;
    if (next === 'web-seed') {
      next = 'http';
      byteAtMs = atMs;
      return { kind: 'web-seed', reason };
    }
    // It answered while nothing came from it.
    return serverAtMs !== undefined && serverAtMs > byteAtMs + limitMs / 2
      ? { kind: 'http', reason }
      : { kind: 'stay' };
  }
  return { step };
}
