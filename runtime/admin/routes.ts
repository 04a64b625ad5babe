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
  /** Removes from the store what nothing needs. @returns what went, and what stays */
  gc(wish: { readonly dryRun: boolean; readonly keep?: number }): Promise<object>;
}

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
      ...{ method: 'POST', path: '/v1/gc', bodyLimitBytes: smallBytes },
      answer(body) {
        const keep = body.keep === undefined ? {} : { keep: numberOf(body, 'keep', { absent: 3, min: 3 }) };
        return actions.gc({ dryRun: flagOf(body, 'dryRun', false), ...keep });
      },
    },
  ];
}
