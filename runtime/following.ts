import { Fault } from '#bundle/fault.ts';
import type { Menu } from './boot/menu.ts';
import { isLive } from './boot/session.ts';
import { parseIpv4 } from './dhcp/address.ts';
import { type Collector, openCollector } from './gc-child.ts';
import { folderOf, type Here } from './here.ts';
import type { Log } from './log.ts';
import type { NodeTable } from './node-table.ts';
import type { OrderBook } from './orders.ts';
import { publishInChild } from './publish-child.ts';
import { blobsOf } from './reconcile/desired.ts';
import { type BuildProgress, type Follower, openFollower } from './reconcile/follow.ts';
import { loadMenu } from './reconcile/load.ts';
import { openReconciler, type Reconciler } from './reconcile/loop.ts';
import type { Recorder } from './recorder.ts';
import { seedEffects } from './seed-effects.ts';
import { openServing, type Serving } from './serving.ts';
import { readCommitSite } from './site-settings.ts';
import { storeUse } from './store-use.ts';
import type { Seeder } from './swarm/seeder.ts';
import type { Tracker } from './tracker/http.ts';

const now = () => Date.now();
const random = () => Math.random();

/** What is answered from. */
export function openServingOf(here: Here, seeder: Seeder): Serving {
  const { options, site, overlay, address, mirror } = here;
  const place = { repository: mirror.path, folder: folderOf(here) };
  return openServing({
    ...{ site, log: options.log, originPort: () => seeder.port },
    subnet: { address: parseIpv4(address.address), netmask: parseIpv4(address.netmask) },
    readCommitSite: (revision) => readCommitSite(place, revision, overlay),
  });
}

/** Brings what is served to what is published. */
export function openReconcilerOf(
  { options, site, store, keys }: Here,
  parts: {
    readonly serving: Serving;
    readonly seeder: Seeder;
    readonly tracker: Tracker;
    readonly table: NodeTable;
    /** Told when a menu is served. */
    readonly onMenu: (menu: Menu) => void;
    readonly onDamage: () => void;
  },
): Reconciler {
  const { serving, seeder, tracker, table, onMenu, onDamage } = parts;
  const inUse = () => table.nodes.namedBundles(now());
  // After a restart: a node goes on with what it began with, though another catalog was published meanwhile.
  const unserved = () =>
    table.nodes.list().flatMap((session) => {
      const isServed = session.names.every((manifest) => reconciler.observed().verified.has(manifest));
      return isServed || !session.release || !isLive(session, now()) ? [] : [session.release];
    });
  const reconciler = openReconciler({
    readPublished: store.readPublished,
    load: (published) => loadMenu({ store, site: site.site, keys }, published),
    olderReleases: () => [...table.offers.fallbacks().map(({ to }) => to), ...unserved()],
    observable: { seeding: () => seeder.seeding(), inUse },
    effects: seedEffects({ store, seeder, tracker }),
    async onMenu(menu) {
      await serving.swap(menu);
      onMenu(menu);
    },
    onDamage,
    log: options.log,
  });
  return reconciler;
}

/** Has each new revision built and published. */
export function openFollowerOf(
  here: Here,
  parts: {
    readonly reconciler: Reconciler;
    readonly recorder: Recorder;
    readonly collector: Collector;
    readonly orders: OrderBook;
    readonly onChange: () => void;
  },
): Follower {
  const { options, mirror, site } = here;
  const place = ['--repository', mirror.path, '--directory', folderOf(here)];
  const verb = site.build === 'registry' ? 'pull' : 'publish';
  const argv = [...options.builder, verb, ...options.builderOptions, ...place];
  return openFollower({
    async publish(revision, work) {
      const startedMs = now();
      const { accepted } = parts.orders.current();
      const extra = accepted === revision ? ['--accept-history'] : [];
      let total = 1;
      const onProgress = (progress: BuildProgress) => {
        total = progress.total;
        work.onProgress(progress);
      };
      const child = { argv: [...argv, ...extra], log: options.log };
      const result = await publishInChild(child, revision, { ...work, onProgress });
      if (result.kind === 'published') {
        await forgetAccepted(parts.orders);
        work.onProgress({ done: total, total, name: 'seeding' });
        await parts.reconciler.once();
      }
      await parts.recorder.record(result, (now() - startedMs) / 1000);
      if (result.kind === 'published' && site.store.keep !== undefined) collectSoon(parts.collector, options.log);
      return result;
    },
    isHeld: parts.orders.current().suspendedSince !== undefined,
    ...{ onChange: parts.onChange, now, random, log: options.log },
  });
}

/** An accepted history is accepted once: the same commit pushed over a later one is a rewritten history again. */
async function forgetAccepted(orders: OrderBook): Promise<void> {
  const { accepted, ...rest } = orders.current();
  if (accepted !== undefined) await orders.set(rest);
}

/** Beside everything else: what is served does not wait for it, and does not depend on it. */
function collectSoon(collector: Collector, log: Log): void {
  collector.collect({ dryRun: false }).catch((error: unknown) => {
    log.error({ part: 'gc', ...(error instanceof Fault && { code: error.code, hint: error.hint }) }, String(error));
  });
}

export function openCollectorOf(
  { options }: Here,
  { table, reconciler, serving }: { table: NodeTable; reconciler: Reconciler; serving: Serving },
): Collector {
  const { statePath, log, pid } = options;
  return openCollector({
    ...{ argv: [...options.builder, 'gc', ...options.builderOptions], statePath, log, pid },
    inUse() {
      const serial = serving.current().menu?.catalog.serial;
      const served = { blobs: blobsOf(reconciler.observed()), ...(serial !== undefined && { serial }) };
      return storeUse({ sessions: table.nodes.list(), remembered: table.offers.remembered(), ...served, nowMs: now() });
    },
  });
}
