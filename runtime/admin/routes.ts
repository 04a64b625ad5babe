import type { AdminRoute } from './route.ts';

/** What administration can make the runtime do. */
export interface AdminActions {
  /** Asks the repository now, and looks at what is published. */
  poke(): void;
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
  ];
}
