import { Fault } from '#bundle/fault.ts';
import type { OrderBook } from './orders.ts';
import type { Follower } from './reconcile/follow.ts';

/** What the operator may order of the follower. Each is kept on the disk before it takes effect. */
export interface Steering {
  /** @returns since when publishing is held */
  suspend(): Promise<string>;
  resume(): Promise<void>;
  suspendedSince(): string | undefined;
  /**
   * Publishes the commit that was refused because the history was rewritten.
   * @param revision its first digits; absent: the one that is refused now
   * @returns it @throws Fault `HISTORY_NOT_REFUSED`, `REVISION_UNKNOWN`
   */
  acceptHistory(revision?: string): Promise<string>;
}

export function openSteering({
  orders,
  follower,
  now,
}: {
  readonly orders: OrderBook;
  readonly follower: Follower;
  readonly now: () => number;
}): Steering {
  return {
    async suspend() {
      const since = orders.current().suspendedSince ?? new Date(now()).toISOString();
      await orders.set({ ...orders.current(), suspendedSince: since });
      follower.hold(true);
      return since;
    },
    async resume() {
      const { suspendedSince: _, ...rest } = orders.current();
      await orders.set(rest);
      follower.hold(false);
    },
    suspendedSince: () => orders.current().suspendedSince,
    async acceptHistory(wanted) {
      const accepted = refusedRevision(follower, wanted);
      await orders.set({ ...orders.current(), accepted });
      follower.again();
      return accepted;
    },
  };
}

function refusedRevision(follower: Follower, wanted: string | undefined) {
  const { refused } = follower.conditions();
  const revision = refused?.faults.some(({ code }) => code === 'HISTORY_REWRITTEN') ? refused.revision : undefined;
  if (revision === undefined) {
    const hint = 'Look at "boottorrent status"; after a push, "boottorrent poke" makes the runtime look at once';
    throw new Fault('HISTORY_NOT_REFUSED', 'Cannot accept a history: none is refused', { hint, retry: 'stalled' });
  }
  if (wanted === undefined || (wanted.length >= 7 && revision.startsWith(wanted))) return revision;
  throw new Fault('REVISION_UNKNOWN', `Cannot accept ${wanted}: it is ${revision} that is refused`, {
    hint: 'Name that one by at least 7 digits, or none',
    retry: 'stalled',
  });
}
