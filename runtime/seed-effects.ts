import type { BlobRef } from '#bundle/catalog.ts';
import { torrentLimitBytes } from '#bundle/metainfo.ts';
import type { Store } from '#store/store.ts';
import type { Effects } from './reconcile/apply.ts';
import type { ServedBundle } from './reconcile/desired.ts';
import { seedBundle } from './swarm/seed-bundle.ts';
import type { Seeder } from './swarm/seeder.ts';
import type { Tracker } from './tracker/http.ts';

/** Verifying from the store; seeding on the origin, known to the tracker as long as it is seeded. */
export function seedEffects({
  store,
  seeder,
  tracker,
}: {
  readonly store: Store;
  readonly seeder: Seeder;
  readonly tracker: Tracker;
}): Omit<Effects, 'publishMenu'> {
  return {
    async verify(bundle) {
      for (const ref of refsOf(bundle)) await store.verifyBlob(ref);
    },
    async isUnchanged(bundle) {
      for (const { digest } of refsOf(bundle)) if (!(await store.isUnchanged(digest))) return false;
      return true;
    },
    async seed({ torrent, files }) {
      if (!torrent) return;
      const bytes = await store.readBlob(torrent.digest, torrentLimitBytes);
      const bundle = seedBundle(bytes, new Map(files.map(({ name, sha256 }) => [name, store.blobPath(sha256)])));
      await seeder.seed(bundle);
      tracker.register(bundle.infoHash);
    },
    async unseed(infoHash) {
      tracker.unregister(infoHash);
      await seeder.unseed(infoHash);
    },
  };
}

function refsOf({ manifest, torrent, files }: ServedBundle): readonly BlobRef[] {
  return [manifest, ...(torrent ? [torrent] : []), ...files.map((file) => ({ ...file, digest: file.sha256 }))];
}
