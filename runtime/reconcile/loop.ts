import { Fault } from '#bundle/fault.ts';
import type { Published } from '#store/store.ts';
import type { Menu } from '../boot/menu.ts';
import type { Component } from '../component.ts';
import type { Log } from '../log.ts';
import { apply, type Effects } from './apply.ts';
import { desiredState, type ObservedState } from './desired.ts';
import { diff } from './diff.ts';
import { nothingObserved, type Observable, observe } from './observe.ts';

export interface ReconcilerOptions {
  readonly readPublished: () => Promise<Published | undefined>;
  /** Reads and verifies what is published. */
  readonly load: (published: Published) => Promise<Menu>;
  readonly observable: Observable;
  readonly effects: Omit<Effects, 'publishMenu'>;
  /** Called with a menu whose bundles are all verified and seeded. */
  readonly onMenu: (menu: Menu, published: Published) => Promise<void>;
  readonly log: Log;
}

/** Brings what is served to what is published, again and again. */
export interface Reconciler extends Component {
  /** One round; a fault is kept for `trouble`, and what was served stays. */
  once(): Promise<void>;
  /** Runs a round soon. */
  ring(): void;
  observed(): ObservedState;
  /** Why what is published is not served. */
  trouble(): Fault | undefined;
}

/** Sessions end without a word: what they kept is looked through so often. */
const intervalMs = 5000;
/** What is published but damaged is hashed again only so often. */
const troubleIntervalMs = 60_000;

export function openReconciler(options: ReconcilerOptions): Reconciler {
  let observed = nothingObserved;
  let loaded: { menu: Menu; published: Published } | undefined;
  let trouble: Fault | undefined;
  let wake = () => {};
  let rung = false;
  let round = Promise.resolve();

  async function load(): Promise<void> {
    const published = await options.readPublished();
    if (!published || published.catalog === loaded?.published.catalog) return;
    loaded = { menu: await options.load(published), published };
  }

  async function reconcile(): Promise<void> {
    try {
      await load();
      const state = observe(observed, options.observable);
      const effects = { ...options.effects, publishMenu };
      await apply(diff(desiredState(loaded?.menu), state), state, { effects, onStep, log: options.log });
      trouble = undefined;
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      if (trouble?.message !== error.message) options.log.error({ code: error.code, hint: error.hint }, error.message);
      trouble = error;
    }
  }

  async function publishMenu(): Promise<void> {
    if (loaded) await options.onMenu(loaded.menu, loaded.published);
  }

  function onStep(state: ObservedState): void {
    observed = state;
  }

  function once(): Promise<void> {
    round = round.then(reconcile);
    return round;
  }

  return {
    name: 'reconcile',
    once,
    ring: () => {
      rung = true;
      wake();
    },
    observed: () => observed,
    trouble: () => trouble,
    async run(signal) {
      signal.addEventListener('abort', () => wake(), { once: true });
      while (!signal.aborted) {
        rung = false;
        await once();
        if (!rung && !signal.aborted)
          await new Promise<void>((resolve) => {
            const timer = setTimeout(resolve, trouble ? troubleIntervalMs : intervalMs);
            wake = () => {
              clearTimeout(timer);
              resolve();
            };
          });
      }
    },
  };
}
