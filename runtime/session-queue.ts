import type { Mac, SessionId } from '#bundle/digest.ts';
import type { SessionChange } from './boot/nodes.ts';
import type { BootSession } from './boot/session.ts';

export interface QueuedSession {
  readonly session: BootSession;
  /** False: a newer one has taken its place. */
  readonly isNewest: boolean;
}

/** Changes of sessions that are yet to be written. */
export interface SessionQueue {
  put(change: SessionChange): void;
  /** What is to be written now, at most `limit` sessions, and is no longer in the queue. Those that waited longest come first. */
  take(
    nowMs: number,
    limit: number,
  ): { readonly sessions: readonly QueuedSession[]; readonly forgotten: readonly Mac[] };
}

/** Numbers alone are written so often: ten thousand nodes in a download report five thousand times a second. */
const numbersEveryMs = 30_000;

/** What changes seldom, and is missed when it is lost. */
const weighty = ['phases', 'release', 'image', 'address', 'exitStatus', 'missingDrivers'] as const;

/** A session is written at once when it has come to another phase, and seldom when only its numbers have changed. */
export function sessionQueue(): SessionQueue {
  const waiting = new Map<SessionId, QueuedSession>();
  const written = new Map<SessionId, { readonly session: BootSession; readonly atMs: number }>();
  const forgotten = new Set<Mac>();

  function isDue({ session, isNewest }: QueuedSession, nowMs: number): boolean {
    const last = written.get(session.id);
    if (!isNewest || !last || nowMs - last.atMs >= numbersEveryMs) return true;
    return weighty.some((key) => last.session[key] !== session[key]);
  }

  return {
    put({ before, after, isForgotten }) {
      const session = after ?? before;
      if (!session) return;
      if (isForgotten) {
        forgotten.add(session.mac);
        for (const one of waiting.values()) if (one.session.mac === session.mac) waiting.delete(one.session.id);
        written.delete(session.id);
        return;
      }
      forgotten.delete(session.mac);
      waiting.set(session.id, { session, isNewest: after !== undefined });
    },
    take(nowMs, limit) {
      const sessions = [...waiting.values()].filter((one) => isDue(one, nowMs)).slice(0, limit);
      for (const { session, isNewest } of sessions) {
        waiting.delete(session.id);
        if (isNewest) written.set(session.id, { session, atMs: nowMs });
        else written.delete(session.id);
      }
      const gone = [...forgotten];
      forgotten.clear();
      return { sessions, forgotten: gone };
    },
  };
}
