import type { Digest } from '#bundle/digest.ts';
import { Fault } from '#bundle/fault.ts';
import type { Published } from '#store/store.ts';
import type { OfferedRelease } from '../boot/event.ts';
import type { Menu } from '../boot/menu.ts';
import type { Component } from '../component.ts';
import type { Log } from '../log.ts';
import { apply, type Effects } from './apply.ts';
import { desiredState, type ObservedState, type OlderRelease } from './desired.ts';
import { type Action, after, diff, isBringing } from './diff.ts';
import { nothingObserved, type Observable, observe } from './observe.ts';

export interface ReconcilerOptions {
  readonly readPublished: () => Promise<Published | undefined>;
  /** Reads and verifies what is published, or was. */
  readonly load: (published: Pick<Published, 'catalog' | 'signature'>) => Promise<Menu>;
  /** Releases of older catalogs that nodes are to get in place of published ones. Default: none. */
  readonly olderReleases?: () => readonly OfferedRelease[];
  readonly observable: Observable;
  readonly effects: Omit<Effects, 'publishMenu'>;
  /** Called with a menu whose bundles are all verified and seeded. */
  readonly onMenu: (menu: Menu, published: Published) => Promise<void>;
  /** Called when a file of what is published is missing or damaged: once for each such fault. */
  readonly onDamage?: () => void;
  readonly log: Log;
}

const damageCodes = new Set(['BLOB_MISSING', 'BLOB_DIGEST_MISMATCH']);

/** Brings what is served to what is published, again and again. */
export interface Reconciler extends Component {
  /** One round; a fault is kept for `trouble`, and what was served stays. */
  once(): Promise<void>;
  /** Runs a round soon. */
  ring(): void;
  observed(): ObservedState;
  /** The menu of an older catalog: present when what is needed of it is verified and seeded. */
  older(catalog: Digest): Menu | undefined;
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
  let older: readonly OlderRelease[] = [];
  const unusable = new Set<Digest>();
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
      await dropChanged();
      older = older.filter(isWanted);
      await carryOut(older);
      trouble = undefined;
      for (const release of wantedReleases()) if (!older.some((one) => isOf(one, release))) await keepOlder(release);
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      const isNews = trouble?.message !== error.message;
      trouble = error;
      if (!isNews) return;
      options.log.error({ code: error.code, hint: error.hint }, error.message);
      if (damageCodes.has(error.code)) options.onDamage?.();
    }
  }

  /** A bundle whose files were changed by other hands is verified anew; till then it is not given out. */
  async function dropChanged(): Promise<void> {
    for (const bundle of observed.verified.values()) {
      if (await options.effects.isUnchanged(bundle)) continue;
      const isWhole = await options.effects.verify(bundle).then(() => true, onlyFaults);
      if (isWhole) continue;
      options.log.error({ code: 'DRIFT', bundle: bundle.name }, 'a served file was changed on the disk');
      if (bundle.torrent) await options.effects.unseed(bundle.torrent.infoHash);
      observed = after(observed, { kind: 'forget', bundle });
    }
  }

  /**
   * In two halves: which old bundles are in use is looked at after the menu was replaced. Until then boots began with
   * the old one, and what they were sent to must not go.
   */
  async function carryOut(kept: readonly OlderRelease[]): Promise<void> {
    const desired = desiredState(loaded?.menu, kept);
    await half((state) => diff(desired, state).filter(isBringing));
    await half((state) => diff(desired, state));
  }

  async function half(actionsFor: (state: ObservedState) => readonly Action[]): Promise<void> {
    const state = observe(observed, options.observable);
    const effects = { ...options.effects, publishMenu };
    await apply(actionsFor(state), state, { effects, onStep, log: options.log });
  }

  const wantedReleases = () => (options.olderReleases?.() ?? []).filter(({ catalog }) => !unusable.has(catalog));
  const isWanted = (one: OlderRelease) => wantedReleases().some((release) => isOf(one, release));

  /** An older release that is damaged or gone does not touch what is served: the node gets the published one. */
  async function keepOlder(release: OfferedRelease): Promise<void> {
    try {
      const next = [...older, { menu: await options.load(release), manifest: release.manifest }];
      await carryOut(next);
      older = next;
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      unusable.add(release.catalog);
      options.log.warn({ code: error.code, catalog: release.catalog }, `no older release: ${error.message}`);
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
    older: (catalog) => older.find(({ menu }) => menu.catalogDigest === catalog)?.menu,
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

function isOf({ menu, manifest }: OlderRelease, release: OfferedRelease): boolean {
  return menu.catalogDigest === release.catalog && manifest === release.manifest;
}

function onlyFaults(error: unknown): false {
  if (error instanceof Fault) return false;
  throw error;
}
