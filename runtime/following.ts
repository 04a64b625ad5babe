import type { Menu } from './boot/menu.ts';
import { parseIpv4 } from './dhcp/address.ts';
import { folderOf, type Here } from './here.ts';
import type { NodeTable } from './node-table.ts';
import { publishInChild } from './publish-child.ts';
import { type Follower, openFollower } from './reconcile/follow.ts';
import { loadMenu } from './reconcile/load.ts';
import { openReconciler, type Reconciler } from './reconcile/loop.ts';
import type { Recorder } from './recorder.ts';
import { seedEffects } from './seed-effects.ts';
import { openServing, type Serving } from './serving.ts';
import { readCommitSite } from './site-settings.ts';
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
  },
): Reconciler {
  const { serving, seeder, tracker, table, onMenu } = parts;
  const inUse = () => table.nodes.namedBundles(now());
  return openReconciler({
    readPublished: store.readPublished,
    load: (published) => loadMenu({ store, site: site.site, keys }, published),
    olderReleases: () => table.offers.fallbacks().map(({ to }) => to),
    observable: { seeding: () => seeder.seeding(), inUse },
    effects: seedEffects({ store, seeder, tracker }),
    async onMenu(menu) {
      await serving.swap(menu);
      onMenu(menu);
    },
    log: options.log,
  });
}

/** Has each new revision built and published. */
export function openFollowerOf(
  here: Here,
  parts: { readonly reconciler: Reconciler; readonly recorder: Recorder; readonly onChange: () => void },
): Follower {
  const { options, mirror } = here;
  const place = ['--repository', mirror.path, '--directory', folderOf(here)];
  const argv = [...options.builder, 'publish', ...options.builderOptions, ...place];
  return openFollower({
    async publish(revision, work) {
      const startedMs = now();
      const result = await publishInChild({ argv, log: options.log }, revision, work);
      if (result.kind === 'published') await parts.reconciler.once();
      await parts.recorder.record(result, (now() - startedMs) / 1000);
      return result;
    },
    ...{ onChange: parts.onChange, now, random, log: options.log },
  });
}
