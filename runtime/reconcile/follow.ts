import type { Revision } from '#bundle/digest.ts';
import type { Component } from '../component.ts';
import type { Log } from '../log.ts';
import { type Conditions, isNew, outcome, type Result } from './outcome.ts';

export interface BuildProgress {
  readonly done: number;
  readonly total: number;
  readonly name: string;
}

export interface FollowerOptions {
  /** Builds and publishes one revision. Rejects only with the signal's reason. */
  readonly publish: (
    revision: Revision,
    options: { readonly signal: AbortSignal; readonly onProgress: (progress: BuildProgress) => void },
  ) => Promise<Result>;
  readonly onChange: () => void;
  /** Whether nothing is published at first. Default: false */
  readonly isHeld?: boolean;
  readonly now: () => number;
  readonly random: () => number;
  readonly log: Log;
}

/**
 * Publishes revisions as they come, one at a time. A newer one ends the work on an older one, so that a revert need not
 * wait for a long build; but not twice in a row, or commits that come faster than builds would keep all from ending.
 */
export interface Follower extends Component {
  /** Tells the newest revision of the repository. */
  offer(revision: Revision): void;
  /** Publishes nothing while it is held; a build that runs is ended. Let go, it publishes the newest revision only. */
  hold(isHeld: boolean): void;
  /** Tries the newest revision again, although it was refused, or published and is no longer whole. */
  again(): void;
  conditions(): Conditions;
}

export function openFollower(options: FollowerOptions): Follower {
  let newest: Revision | undefined;
  let conditions: Conditions = {};
  let runAgainAtMs: number | undefined;
  let wasInterrupted = false;
  let isHeld = options.isHeld ?? false;
  let working: { revision: Revision; stop: AbortController } | undefined;
  let wake = () => {};

  function set(next: Conditions): void {
    conditions = next;
    options.onChange();
  }

  /** The revision to work on now; else when to look again. */
  function due(): Revision | number | undefined {
    if (isHeld || newest === undefined || !isNew(newest, conditions)) return undefined;
    const waitMs = (runAgainAtMs ?? 0) - options.now();
    return conditions.refused?.revision === newest && waitMs > 0 ? waitMs : newest;
  }

  async function work(revision: Revision, signal: AbortSignal): Promise<void> {
    const stop = new AbortController();
    working = { revision, stop };
    set({ ...conditions, building: { revision, done: 0, total: 0, name: 'definitions' } });
    const onProgress = (progress: BuildProgress) => set({ ...conditions, building: { revision, ...progress } });
    try {
      const both = AbortSignal.any([signal, stop.signal]);
      const result = await options.publish(revision, { signal: both, onProgress });
      const next = outcome(result, conditions, { nowMs: options.now(), random: options.random() });
      runAgainAtMs = next.runAgainAtMs;
      wasInterrupted = false;
      tell(result);
      set(next.conditions);
    } catch (error) {
      if (!signal.aborted && !stop.signal.aborted) throw error;
      wasInterrupted = true;
      const { building: _, ...rest } = conditions;
      set(rest);
    } finally {
      working = undefined;
    }
  }

  function tell(result: Result): void {
    const { log } = options;
    if (result.kind === 'published') log.info({ part: 'publish', ...result }, 'published');
    else if (result.retry === 'waiting') log.info({ part: 'publish', ...result }, 'revision is waited for');
    else log.error({ part: 'publish', ...result }, 'revision refused');
  }

  return {
    name: 'follow',
    conditions: () => conditions,
    offer(revision) {
      if (revision === newest) return;
      newest = revision;
      if (working && working.revision !== revision && !wasInterrupted)
        working.stop.abort(new Error('a newer revision came'));
      wake();
    },
    hold(held) {
      isHeld = held;
      if (held) working?.stop.abort(new Error('publishing is held'));
      options.onChange();
      wake();
    },
    again() {
      const { handled: _, ...rest } = conditions;
      set(rest);
      runAgainAtMs = undefined;
      wake();
    },
    async run(signal) {
      signal.addEventListener('abort', () => wake(), { once: true });
      while (!signal.aborted) {
        const next = due();
        if (typeof next === 'string') await work(next, signal);
        else
          await pause(next, (ring) => {
            wake = ring;
          });
      }
    },
  };
}

/** @param limitMs absent: until it is woken */
function pause(limitMs: number | undefined, onRing: (ring: () => void) => void): Promise<void> {
  return new Promise((resolve) => {
    const timer = limitMs === undefined ? undefined : setTimeout(resolve, Math.min(limitMs, 2 ** 31 - 1));
    onRing(() => {
      clearTimeout(timer);
      resolve();
    });
  });
}
