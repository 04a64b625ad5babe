import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseSessionId, type SessionId } from '#bundle/digest.ts';
import { type AnnounceReply, type AnnounceRequest, announce, emptySwarm, type TrackedSwarm } from './announce.ts';

const origin = { address: '10.20.0.1', port: 6881 };

function session(node: number): SessionId {
  return parseSessionId(String(node).padStart(32, '0'));
}

function request(node: number, about: Partial<AnnounceRequest> = {}): AnnounceRequest {
  return { session: session(node), address: `10.20.${node >> 8}.${node & 255}`, port: 6881, leftBytes: 100, ...about };
}

/** Announces one after the other, one a second unless a time is given; the replies and the last state. */
function announceAll(requests: readonly (AnnounceRequest & { atMs?: number })[]) {
  let swarm: TrackedSwarm = emptySwarm(origin);
  const replies = requests.map((one, index) => {
    const next = announce(swarm, one, { atMs: one.atMs ?? index * 1000, random: () => 0.5 });
    swarm = next.swarm;
    return next.reply;
  });
  return { swarm, replies, last: replies.at(-1) as AnnounceReply };
}

function addresses(reply: AnnounceReply): readonly string[] {
  return reply.kind === 'peers' ? reply.peers.map((peer) => peer.address) : [];
}

test('announce() tells a node of the origin first, then of all others, never of itself', () => {
  const { last } = announceAll([request(11), request(12), request(13)]);
  expect(last).toMatchObject({ kind: 'peers', completeCount: 1, incompleteCount: 3 });
  expect(addresses(last)[0]).toBe('10.20.0.1');
  expect(addresses(last).slice(1).toSorted()).toEqual(['10.20.0.11', '10.20.0.12']);
});

test('announce() tells two that come at the same moment of each other within 5 s', () => {
  const [first] = announceAll([request(11), request(12)]).replies;
  expect(first).toMatchObject({ intervalSeconds: 2 });
  const { last } = announceAll([request(11), request(12), request(11)]);
  expect(addresses(last)).toEqual(['10.20.0.1', '10.20.0.12']);
});

test('announce() asks less often when nobody came for half a minute, and of those that have everything', () => {
  expect(
    announceAll([request(11), { ...request(11), atMs: 16_000 }, { ...request(11), atMs: 31_000 }]).last,
  ).toMatchObject({ intervalSeconds: 15 });
  expect(announceAll([request(11, { leftBytes: 0 })]).last).toMatchObject({ intervalSeconds: 60 });
});

test('announce() forgets a peer that stopped, and one that was silent for long', () => {
  expect(addresses(announceAll([request(11), request(11, { event: 'stopped' }), request(12)]).last)).toEqual([
    '10.20.0.1',
  ]);
  expect(addresses(announceAll([request(11), { ...request(12), atMs: 60_000 }]).last)).toEqual(['10.20.0.1']);
});

test('announce() refuses a session from another address and leaves its peer as it is', () => {
  const { last, swarm } = announceAll([request(11), request(11, { address: '10.20.9.9' })]);
  expect(last).toEqual({ kind: 'failure', reason: 'this boot session belongs to another address' });
  expect([...swarm.peers.values()].map((peer) => peer.address)).toEqual(['10.20.0.11']);
});

test('announce() forgets the last session of a node that boots again', () => {
  const { swarm } = announceAll([request(11), request(11, { session: session(99) })]);
  expect([...swarm.peers.keys()]).toEqual([session(99)]);
});

test('announce() tells a seeder of no other seeder', () => {
  const { last } = announceAll([request(11, { leftBytes: 0 }), request(12), request(13, { leftBytes: 0 })]);
  expect(addresses(last)).toEqual(['10.20.0.1', '10.20.0.12']);
});

test('announce() returns at most the wanted number of peers, each once, chosen by the dice', () => {
  fc.assert(
    fc.property(fc.nat(120), fc.option(fc.nat(200), { nil: undefined }), fc.integer(), (count, peersWanted, seed) => {
      let swarm = emptySwarm(origin);
      let state = seed;
      const now = {
        atMs: 0,
        random: () => {
          state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
          return state / 2 ** 32;
        },
      };
      for (let node = 1; node <= count; node++) swarm = announce(swarm, request(node + 256), now).swarm;
      const { reply } = announce(swarm, request(1000, { ...(peersWanted !== undefined && { peersWanted }) }), now);
      const told = addresses(reply);
      expect(new Set(told).size).toBe(told.length);
      expect(told).toHaveLength(1 + Math.min(count, peersWanted ?? 50, 100));
    }),
  );
});
