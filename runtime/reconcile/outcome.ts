import type { Revision } from '#bundle/digest.ts';
import type { Retry } from '#bundle/fault.ts';

/** A fault as it is shown: what the child process told, or what the runtime met itself. */
export interface ShownFault {
  readonly code: string;
  readonly message: string;
  readonly hint?: string;
  readonly file?: string;
  readonly line?: number;
  readonly column?: number;
}

/** What happened when a revision was tried. */
export type Result =
  | { readonly kind: 'published'; readonly revision: Revision; readonly serial: number }
  | {
      readonly kind: 'refused';
      readonly revision?: Revision;
      readonly faults: readonly ShownFault[];
      readonly retry: Retry;
    };

/** The state of following the repository; what is served does not depend on it. */
export interface Conditions {
  /** The newest revision that was handled to its end, published or refused. */
  readonly handled?: Revision;
  /** A build that runs now. */
  readonly building?: {
    readonly revision: Revision;
    readonly done: number;
    readonly total: number;
    readonly name: string;
  };
  /** Why the newest revision is not served: stalled until a new one, failed or waiting until the next try. */
  readonly refused?: {
    readonly kind: Retry;
    readonly revision?: Revision;
    readonly sinceMs: number;
    readonly faults: readonly ShownFault[];
    /** Tries of the same revision that ended so. */
    readonly attempts: number;
  };
}

/** Retries begin at 5 s, double, and stay below 5 minutes; `waiting` faults are looked at again every 5 s at first, every 30 s in the end. */
export const backoff = { firstMs: 5000, limitMs: 300_000, waitingLimitMs: 30_000 } as const;

/**
 * The only place that decides about trying again.
 * @param random a number from 0 to 1: retries are spread over half of their pause
 * @returns `runAgainAtMs` absent: not before the repository changes
 */
export function outcome(
  result: Result,
  conditions: Conditions,
  { nowMs, random }: { readonly nowMs: number; readonly random: number },
): { readonly conditions: Conditions; readonly runAgainAtMs?: number } {
  if (result.kind === 'published') return { conditions: { handled: result.revision } };
  const before = conditions.refused;
  const same = before !== undefined && before.revision === result.revision;
  const attempts = same ? before.attempts + 1 : 1;
  const refused = {
    kind: result.retry,
    ...(result.revision !== undefined && { revision: result.revision }),
    sinceMs: same ? before.sinceMs : nowMs,
    faults: result.faults.slice(0, 100),
    attempts,
  };
  const handled = refused.kind === 'stalled' ? result.revision : conditions.handled;
  const next = { ...(handled !== undefined && { handled }), refused };
  if (refused.kind === 'stalled') return { conditions: next };
  return { conditions: next, runAgainAtMs: nowMs + pauseMs(result.retry, attempts) * (0.75 + random / 2) };
}

/** Whether a revision is still to be handled. */
export function isNew(revision: Revision, conditions: Conditions): boolean {
  return conditions.handled !== revision;
}

function pauseMs(retry: Retry, attempts: number): number {
  if (retry === 'waiting') return Math.min(backoff.waitingLimitMs, backoff.firstMs * 1.2 ** Math.min(attempts - 1, 16));
  return Math.min(backoff.limitMs / 1.25, backoff.firstMs * 2 ** Math.min(attempts - 1, 16));
}
