import { describe, expect, it } from 'vitest';
import type { Revision } from '#bundle/digest.ts';
import { openLog } from '../log.ts';
import { openFollower } from './follow.ts';
import type { Result } from './outcome.ts';

const revision = (digit: string) => digit.repeat(40) as Revision;

/** A follower whose builds end when the test says so. */
function setUp() {
  const started: string[] = [];
  const pending = new Map<string, (result: Result) => void>();
  const follower = openFollower({
    publish: (wanted, { signal }) => {
      started.push(wanted[0]!);
      return new Promise((resolve, reject) => {
        pending.set(wanted[0]!, resolve);
        signal.addEventListener('abort', () => reject(signal.reason), { once: true });
      });
    },
    ...{ onChange: () => {}, now: () => 0, random: () => 0.5, log: openLog({ level: 'silent' }) },
  });
  const stop = new AbortController();
  const running = follower.run(stop.signal);
  const finish = (digit: string, result?: Result) =>
    pending.get(digit)?.(result ?? { kind: 'published', revision: revision(digit), serial: 1 });
  async function end() {
    stop.abort();
    await running;
  }
  return { follower, started, finish, stop: end };
}
const turn = () => new Promise((resolve) => setImmediate(resolve));

describe('openFollower()', () => {
  it('publishes each new revision once', async () => {
    const { follower, started, finish, stop } = setUp();
    follower.offer(revision('a'));
    follower.offer(revision('a'));
    await turn();
    expect(follower.conditions().building).toMatchObject({ revision: revision('a') });
    finish('a');
    await turn();
    follower.offer(revision('a'));
    await turn();
    expect(started).toEqual(['a']);
    expect(follower.conditions()).toEqual({ handled: revision('a') });
    await stop();
  });

  it('ends the work on an older revision for a newer one, but lets every second build finish', async () => {
    const { follower, started, finish, stop } = setUp();
    for (const digit of ['a', 'b', 'c', 'd']) {
      follower.offer(revision(digit));
      await turn();
    }
    expect(started).toEqual(['a', 'b']);
    finish('b');
    await turn();
    expect(started).toEqual(['a', 'b', 'd']);
    await stop();
  });

  it('publishes nothing while it is held, and then only the newest', async () => {
    const { follower, started, finish, stop } = setUp();
    follower.offer(revision('a'));
    await turn();
    follower.hold(true);
    for (const digit of ['b', 'c']) {
      follower.offer(revision(digit));
      await turn();
    }
    expect(follower.conditions()).toEqual({});
    expect(started).toEqual(['a']);
    follower.hold(false);
    await turn();
    finish('c');
    await turn();
    expect(started).toEqual(['a', 'c']);
    await stop();
  });

  it('tries a refused revision again when it is told to', async () => {
    const { follower, started, finish, stop } = setUp();
    const no = { kind: 'refused', faults: [{ code: 'X', message: 'no' }], retry: 'stalled' } as const;
    follower.offer(revision('a'));
    await turn();
    finish('a', { ...no, revision: revision('a') });
    await turn();
    follower.again();
    await turn();
    expect(started).toEqual(['a', 'a']);
    await stop();
  });

  it('shows a refusal until another revision comes', async () => {
    const { follower, started, finish, stop } = setUp();
    follower.offer(revision('a'));
    await turn();
    finish('a', { kind: 'refused', revision: revision('a'), faults: [{ code: 'X', message: 'no' }], retry: 'stalled' });
    await turn();
    expect(follower.conditions()).toMatchObject({ handled: revision('a'), refused: { kind: 'stalled' } });
    follower.offer(revision('b'));
    await turn();
    finish('b');
    await turn();
    expect(follower.conditions()).toEqual({ handled: revision('b') });
    expect(started).toEqual(['a', 'b']);
    await stop();
  });
});
