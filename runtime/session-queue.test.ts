import { expect, test } from 'vitest';
import type { Mac, SessionId } from '#bundle/digest.ts';
import type { BootSession } from './boot/session.ts';
import { sessionQueue } from './session-queue.ts';

const phases = [{ name: 'download', atMs: 0 }] as const;
const session = { id: '1'.repeat(32) as SessionId, mac: '52:54:00:00:00:01' as Mac, phases, doneBytes: 0 };
const first = session as unknown as BootSession;

test('sessionQueue() gives a new phase or image at once, and mere numbers every 30 s', () => {
  const queue = sessionQueue();
  queue.put({ after: first });
  expect(queue.take(0, 9).sessions).toEqual([{ session: first, isNewest: true }]);
  const more = { ...first, doneBytes: 5 };
  queue.put({ before: first, after: more });
  expect(queue.take(29_999, 9).sessions).toEqual([]);
  expect(queue.take(30_000, 9).sessions).toEqual([{ session: more, isNewest: true }]);
  const further = { ...more, phases: [...more.phases, { name: 'load', atMs: 9 } as const] };
  queue.put({ before: more, after: further });
  expect(queue.take(30_001, 9).sessions).toEqual([{ session: further, isNewest: true }]);
  const moved = { ...further, image: 'debian' };
  queue.put({ before: further, after: moved });
  expect(queue.take(30_002, 9).sessions).toEqual([{ session: moved, isNewest: true }]);
  expect(queue.take(99_999, 9).sessions).toEqual([]);
});

test('sessionQueue() gives the last state of a session that was replaced, and only the name of a node that is forgotten', () => {
  const queue = sessionQueue();
  queue.put({ after: first });
  queue.put({ before: first });
  expect(queue.take(0, 9).sessions).toEqual([{ session: first, isNewest: false }]);
  queue.put({ after: first });
  queue.put({ before: first, isForgotten: true });
  expect(queue.take(1, 9)).toEqual({ sessions: [], forgotten: [first.mac] });
});

test('sessionQueue() gives so many at a time, the oldest change first', () => {
  const queue = sessionQueue();
  for (const id of ['1', '2', '3']) queue.put({ after: { ...first, id: id.repeat(32) as SessionId } });
  queue.put({ after: first });
  const ids = () => queue.take(0, 2).sessions.map(({ session }) => session.id[0]);
  expect([ids(), ids(), ids()]).toEqual([['1', '2'], ['3'], []]);
});
