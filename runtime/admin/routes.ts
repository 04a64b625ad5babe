import { type AdminRoute, flagOf, numberOf, textOf } from './route.ts';

/** What administration can make the runtime do. */
export interface AdminActions {
  /** Asks the repository now, and looks at what is published. */
  poke(): void;
  /** Holds publishing, also over a restart. @returns since when */
  suspend(): Promise<string>;
  resume(): Promise<void>;
  /** @returns the revision that is published next @throws Fault `HISTORY_NOT_REFUSED`, `REVISION_UNKNOWN` */
  acceptHistory(revision?: string): Promise<string>;
  /** Lets no new boot begin, and ends the runtime when none runs, or after the limit. */
  drain(limitMs: number): object;
  /** Removes from the store what nothing needs. @returns what went, and what stays */
  gc(wish: { readonly dryRun: boolean; readonly keep?: number }): Promise<object>;
}

/** A boot that has not ended by then is left to itself: as long as a silent session counts as live. */
export const drainLimitMs = 15 * 60_000;
/** Bytes of the largest request: a few names. */
const smallBytes = 1024;

/**
 * All that the control socket takes beside the routes of the status listener and the report. Whoever may open that
 * socket may do all of this: its file is the permission.
 */
export function adminRoutes(actions: AdminActions): readonly AdminRoute[] {
  return [
    {
      ...{ method: 'POST', path: '/v1/poke', bodyLimitBytes: smallBytes },
      async answer() {
        actions.poke();
        return { poked: true };
      },
    },
    {
      ...{ method: 'POST', path: '/v1/suspend', bodyLimitBytes: smallBytes },
      answer: async () => ({ since: await actions.suspend() }),
    },
    {
      ...{ method: 'POST', path: '/v1/resume', bodyLimitBytes: smallBytes },
      async answer() {
        await actions.resume();
        return {};
      },
    },
    {
      ...{ method: 'POST', path: '/v1/accept-history', bodyLimitBytes: smallBytes },
      answer: async (body) => ({ revision: await actions.acceptHistory(textOf(body, 'revision')) }),
    },
    {
      ...{ method: 'POST', path: '/v1/drain', bodyLimitBytes: smallBytes },
      answer: async (body) => actions.drain(numberOf(body, 'limitMs', { absent: drainLimitMs, min: 0 })),
    },
    {
      ...{ method: 'POST', path: '/v1/gc', bodyLimitBytes: smallBytes },
      answer(body) {
        const keep = body.keep === undefined ? {} : { keep: numberOf(body, 'keep', { absent: 3, min: 3 }) };
        return actions.gc({ dryRun: flagOf(body, 'dryRun', false), ...keep });
      },
    },
  ];
}
