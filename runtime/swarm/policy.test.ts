import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isCopyOut, openPolicy, type Policy, type PolicyEvent, step } from './policy.ts';
import { type SimulatedPeer, type SimulationOptions, simulateSwarm } from './simulated-swarm.ts';

/** A generator with a seed: runs repeat exactly. */
function dice(seed = 1): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

function open(pieceCount = 100): Policy {
  return openPolicy({ pieceCount, random: dice() });
}

/** The pieces that one event makes the origin show to a peer. */
function shownTo(policy: Policy, peer: number, event: PolicyEvent): readonly number[] | 'all' {
  const shows = step(policy, event).filter((show) => show.peer === peer);
  return shows.some((show) => show.pieces === 'all') ? 'all' : shows.flatMap((show) => show.pieces as number[]);
}

function join(policy: Policy, peer: number, about: { pieces?: number[]; isTrusted?: boolean; atMs?: number } = {}) {
  return shownTo(policy, peer, { kind: 'join', peer, pieces: [], isTrusted: false, atMs: 0, ...about });
}

function joinFew(policy: Policy, peer: number): readonly number[] {
  const pieces = join(policy, peer);
  if (pieces === 'all') throw new Error(`peer ${peer} was shown everything`);
  return pieces;
}

/** The origin sends the pieces to a peer, and it says that it has them. */
function get(policy: Policy, peer: number, pieces: readonly number[], atMs = 10): readonly number[] {
  return pieces.flatMap((piece) => [
    ...(shownTo(policy, peer, { kind: 'sent', peer, piece, atMs }) as number[]),
    ...(shownTo(policy, peer, { kind: 'have', peer, piece, atMs }) as number[]),
  ]);
}

describe('step()', () => {
  test('shows each peer three pieces that nobody else was shown', () => {
    const policy = open();
    const pieces = [1, 2, 3].flatMap((peer) => joinFew(policy, peer));
    expect(pieces).toHaveLength(9);
    expect(new Set(pieces).size).toBe(9);
  });

  test('shows the next piece when one was sent', () => {
    const policy = open();
    const [first = 0] = joinFew(policy, 1);
    expect(step(policy, { kind: 'sent', peer: 1, piece: first, atMs: 5 })).toEqual([
      { peer: 1, pieces: [expect.any(Number)] },
    ]);
  });

  test('shows nothing that a peer says it has', () => {
    const policy = open(4);
    const all = [join(policy, 1, { pieces: [0, 1, 2] })].flat();
    expect(all).toEqual([3]);
  });

  test('shows fewer pieces at a time when the peers are many', () => {
    const policy = open(8);
    expect([1, 2, 3, 4].map((peer) => joinFew(policy, peer).length)).toEqual([2, 1, 1, 1]);
  });

  test('gives what a leaving peer had not finished to another', () => {
    const policy = open();
    const lost = joinFew(policy, 1);
    const kept = joinFew(policy, 2);
    step(policy, { kind: 'leave', peer: 1, atMs: 5 });
    expect(get(policy, 2, kept)).toEqual(expect.arrayContaining([...lost]));
  });

  test('shows everything to everybody, newcomers too, when a copy is out', () => {
    const policy = open(2);
    const first = joinFew(policy, 1);
    const second = joinFew(policy, 2);
    get(policy, 1, first);
    expect(isCopyOut(policy)).toBe(false);
    const [last = 0] = second;
    step(policy, { kind: 'sent', peer: 2, piece: last, atMs: 5 });
    expect(step(policy, { kind: 'have', peer: 2, piece: last, atMs: 5 })).toEqual([
      { peer: 1, pieces: 'all' },
      { peer: 2, pieces: 'all' },
    ]);
    expect(join(policy, 3)).toBe('all');
  });

  test('counts no claim of a piece that the origin did not send', () => {
    const policy = open(4);
    join(policy, 1, { pieces: [0, 1, 2, 3] });
    expect(isCopyOut(policy)).toBe(false);
    const [piece = 0] = joinFew(policy, 2);
    step(policy, { kind: 'have', peer: 2, piece, atMs: 5 });
    expect(policy.outCount).toBe(0);
  });

  test('counts what a trusted node says it has', () => {
    const policy = open(4);
    join(policy, 1, { pieces: [0, 1, 2, 3], isTrusted: true });
    expect(isCopyOut(policy)).toBe(true);
  });

  test('is windowed again for a newcomer after the holders of the copy left', () => {
    const policy = open(100);
    join(policy, 1, { pieces: Array.from({ length: 100 }, (_, piece) => piece), isTrusted: true });
    step(policy, { kind: 'leave', peer: 1, atMs: 5 });
    expect(joinFew(policy, 2)).toHaveLength(3);
  });

  test('shows a piece again that was asked for by nobody for two seconds', () => {
    const policy = open(100);
    const stale = joinFew(policy, 1);
    const fresh = joinFew(policy, 2);
    get(policy, 2, fresh, 100);
    step(policy, { kind: 'tick', atMs: 1900 });
    expect(policy.queue.slice(-3).sort()).not.toEqual([...stale].sort());
    step(policy, { kind: 'tick', atMs: 2100 });
    expect(policy.queue.slice(-3).sort()).toEqual([...stale].sort());
  });

  test('shows pieces again that only a peer holds which gives them to nobody', () => {
    const policy = open(100);
    const hoarded = joinFew(policy, 1);
    joinFew(policy, 2);
    get(policy, 1, hoarded, 100);
    step(policy, { kind: 'tick', atMs: 9000 });
    expect(policy.outCount).toBe(3);
    step(policy, { kind: 'tick', atMs: 12_000 });
    expect(policy.outCount).toBe(0);
  });

  test('shows everything to a peer that gets nowhere', () => {
    const policy = open(100);
    joinFew(policy, 1);
    expect(shownTo(policy, 1, { kind: 'tick', atMs: 4000 })).toEqual([]);
    expect(shownTo(policy, 1, { kind: 'tick', atMs: 6000 })).toBe('all');
  });

  test('ignores unknown peers and pieces', () => {
    const policy = open(4);
    join(policy, 1);
    expect(step(policy, { kind: 'have', peer: 9, piece: 0, atMs: 1 })).toEqual([]);
    expect(step(policy, { kind: 'have', peer: 1, piece: 4_000_000_000, atMs: 1 })).toEqual([]);
    expect(step(policy, { kind: 'sent', peer: 1, piece: 4, atMs: 1 })).toEqual([]);
    expect(step(policy, { kind: 'leave', peer: 9, atMs: 1 })).toEqual([]);
  });
});

describe('a simulated swarm', () => {
  const rate = { uploadRate: 20, downloadRate: 20 };
  const peers = (count: number, about: Partial<SimulatedPeer> = {}): SimulatedPeer[] =>
    Array.from({ length: count }, () => ({ ...rate, ...about }));
  const simulate = (about: Partial<SimulationOptions> & Pick<SimulationOptions, 'peers'>) =>
    simulateSwarm({ pieceCount: 160, originRate: 20, random: dice(), limitMs: 120_000, ...about });
  const lastMs = (times: readonly (number | undefined)[]) =>
    Math.max(...times.map((time) => time ?? Number.POSITIVE_INFINITY));

  test('takes little more than one copy from the origin, in little more than the ideal time', () => {
    const { completeAtMs, originCopies } = simulate({ peers: peers(8) });
    expect(lastMs(completeAtMs)).toBeLessThan(1.25 * 8000);
    expect(originCopies).toBeLessThan(1.15);
  });

  test('completes after the origin left with 1.05 copies sent, which plain seeding does not', () => {
    const after = { peers: peers(8), originCopies: 1.05, limitMs: 20_000 };
    expect(lastMs(simulate(after).completeAtMs)).toBeLessThan(20_000);
    const plain = simulate({ ...after, windowPieces: Number.POSITIVE_INFINITY });
    expect(plain.completeAtMs.filter((time) => time !== undefined)).toEqual([]);
  });

  test('is not slowed down by a peer that claims everything, nor by one that never asks', () => {
    const honest = lastMs(simulate({ peers: peers(8) }).completeAtMs);
    for (const kind of ['liar', 'mute'] as const) {
      const { completeAtMs } = simulate({ peers: [...peers(1, { kind }), ...peers(8)] });
      expect(lastMs(completeAtMs.slice(1))).toBeLessThan(1.1 * honest);
    }
  });

  test('completes beside peers that never upload', () => {
    const { completeAtMs } = simulate({ peers: [...peers(4), ...peers(4, { kind: 'hoarder' })] });
    expect(lastMs(completeAtMs)).toBeLessThan(30_000);
  });

  test('serves a single node at the full rate of a fast link', () => {
    const fast = { peers: [{ uploadRate: 400, downloadRate: 400 }], originRate: 400, pieceCount: 1600 };
    const plain = simulate({ ...fast, windowPieces: Number.POSITIVE_INFINITY });
    expect(lastMs(simulate(fast).completeAtMs)).toBeLessThan(1.05 * lastMs(plain.completeAtMs));
  });

  test('serves late comers and a second wave after the first has gone', () => {
    const waves = [...peers(4, { leavesWhenComplete: true }), ...peers(2, { joinAtMs: 3000 })];
    const { completeAtMs } = simulate({
      peers: [...waves, ...peers(4, { joinAtMs: 40_000, leavesWhenComplete: true })],
    });
    expect(lastMs(completeAtMs.slice(0, 6))).toBeLessThan(20_000);
    expect(lastMs(completeAtMs)).toBeLessThan(40_000 + 1.5 * 8000);
  });

  test('completes whoever joins, leaves, lies or cannot be reached', () => {
    const peer = fc.record<SimulatedPeer>(
      {
        uploadRate: fc.constantFrom(2, 20, 100),
        downloadRate: fc.constantFrom(5, 20, 100),
        joinAtMs: fc.nat(50).map((tenths) => tenths * 100),
        leaveAtMs: fc.nat(100).map((tenths) => 6000 + tenths * 100),
        leavesWhenComplete: fc.boolean(),
        kind: fc.constantFrom('honest', 'honest', 'liar', 'hoarder', 'mute'),
      },
      { requiredKeys: ['uploadRate', 'downloadRate'] },
    );
    const swarm = fc.record({
      seed: fc.nat(),
      peers: fc.array(peer, { minLength: 1, maxLength: 8 }),
      islands: fc.integer({ min: 1, max: 3 }),
    });
    fc.assert(
      fc.property(swarm, ({ seed, peers, islands }) => {
        const isReachable = (from: number, to: number) => from % islands === to % islands;
        const { completeAtMs } = simulate({ pieceCount: 40, peers, random: dice(seed), isReachable, limitMs: 300_000 });
        for (const [index, time] of completeAtMs.entries()) {
          const { kind, leaveAtMs } = peers[index] ?? {};
          if (leaveAtMs === undefined && kind !== 'liar' && kind !== 'mute') expect(time).toBeDefined();
        }
      }),
      { numRuns: 60 },
    );
  });
});
