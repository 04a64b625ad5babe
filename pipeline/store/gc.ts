import { catalogLimitBytes, parseCatalog } from '#bundle/catalog.ts';
import type { Digest } from '#bundle/digest.ts';
import { Fault } from '#bundle/fault.ts';
import { manifestLimitBytes } from '#bundle/manifest.ts';
import { digestsIn, type KnownCatalog, keptCatalogs, releasesFor } from './gc-marks.ts';
import type { InUse } from './in-use.ts';
import { openRubbish, type Rubbish } from './rubbish.ts';
import type { Published, Store } from './store.ts';

export interface GcOptions {
  readonly store: Store;
  /** Catalogs of different content that stay; at least one. */
  readonly keep: number;
  readonly inUse: InUse;
  /** Only tells what would go. */
  readonly dryRun: boolean;
  readonly signal?: AbortSignal;
}

export interface GcResult {
  readonly keptCatalogs: number;
  readonly droppedCatalogs: number;
  readonly removedBuilds: number;
  readonly removedBlobs: number;
  readonly freedBytes: number;
  readonly keptBytes: number;
}

/**
 * Removes what no kept catalog names, no boot has and no build of a kept catalog was made from. The caller holds the lock
 * of the builder. Killed anywhere, it leaves a store in which everything that a kept catalog names is whole.
 * @throws Fault `GC_REFUSED` where a kept catalog cannot be read: then nothing is removed
 */
export async function collectGarbage(options: GcOptions): Promise<GcResult> {
  const { store, keep, inUse, dryRun, signal } = options;
  const published = await store.readPublished();
  const rubbish = await openRubbish(store.path);
  const { kept, dropped } = published
    ? await sortCatalogs(store, { published, keep, inUse })
    : { kept: [], dropped: [] };
  if (!published) return nothing(rubbish);
  // What was used since the newest of the dropped was published was used for a kept one: builds wait for each other.
  const usedSinceMs = Math.max(0, ...dropped.map((one) => Date.parse(one.published.publishedAt)));
  const old = dropped.length > 0 ? rubbish.builds.filter(({ usedAtMs }) => usedAtMs < usedSinceMs) : [];
  const marks = openMarks(store);
  for (const one of kept) await marks.catalog(one);
  await markInUse(marks, store, inUse);
  for (const { text } of rubbish.builds.filter((one) => !old.includes(one))) await marks.deep(digestsIn(text));
  const blobs = rubbish.blobs.filter(({ digest }) => !marks.has(digest));
  if (!dryRun)
    await rubbish.remove({ serials: dropped.map((one) => one.published.serial), builds: old, blobs, signal });
  const freedBytes = sumOf(blobs);
  return {
    ...{ keptCatalogs: kept.length, droppedCatalogs: dropped.length, removedBuilds: old.length },
    ...{ removedBlobs: blobs.length, freedBytes, keptBytes: sumOf(rubbish.blobs) - freedBytes },
  };
}

async function sortCatalogs(
  store: Store,
  { published, keep, inUse }: { readonly published: Published; readonly keep: number; readonly inUse: InUse },
) {
  const all = new Map([...(await store.catalogs()), published].map((one) => [one.serial, one]));
  const newestFirst = [...all.values()].toSorted((a, b) => b.serial - a.serial);
  const known: KnownCatalog[] = [];
  for (const one of newestFirst) known.push({ published: one, names: await namesIn(store, one.catalog) });
  return keptCatalogs(known, {
    ...{ keep: Math.max(1, keep), publishedSerial: published.serial },
    sinceSerial: inUse.sinceSerial,
  });
}

/** A catalog that is named is there, or nothing is removed: what it names could not be told from rubbish. */
async function namesIn(store: Store, digest: Digest): Promise<readonly Digest[]> {
  return digestsIn(await readCatalogText(store, digest));
}

async function readCatalogText(store: Store, digest: Digest): Promise<string> {
  try {
    return (await store.readBlob(digest, catalogLimitBytes)).toString();
  } catch (cause) {
    throw new Fault('GC_REFUSED', `Cannot remove anything from the store: catalog ${digest} cannot be read`, {
      cause,
      hint: 'Run "boottorrent publish", which writes the published one anew; the file of an older one in catalogs/ may be deleted',
      retry: 'stalled',
    });
  }
}

async function markInUse(marks: Marks, store: Store, { blobs, manifests, releases }: InUse): Promise<void> {
  marks.add(blobs);
  await marks.deep(manifests);
  for (const { catalog, signature, manifest } of releases) {
    // One that is gone already cannot be given again.
    if (!(await store.has(catalog))) continue;
    const text = await readCatalogText(store, catalog);
    // To be loaded again, a catalog needs every manifest and torrent that it names; of the files, those of one image.
    marks.add([catalog, signature, ...digestsIn(text)]);
    await marks.deep(neededOf(text, manifest));
  }
}

/** Manifests that one image of a catalog takes; of a catalog that another version wrote, all that it names. */
function neededOf(text: string, manifest: Digest): readonly Digest[] {
  try {
    return (releasesFor(parseCatalog(text), manifest) ?? []).map((one) => one.manifest.digest);
  } catch (error) {
    if (error instanceof Fault) return digestsIn(text);
    throw error;
  }
}

interface Marks {
  has(digest: Digest): boolean;
  add(digests: readonly Digest[]): void;
  /** Also what the named blobs name, where they are manifests. */
  deep(digests: readonly Digest[]): Promise<void>;
  /** A catalog with all that it names. */
  catalog(one: KnownCatalog): Promise<void>;
}

function openMarks(store: Store): Marks {
  const marked = new Set<Digest>();
  const seen = new Set<Digest>();
  const add = (digests: readonly Digest[]) => {
    for (const digest of digests) marked.add(digest);
  };
  async function deep(digests: readonly Digest[]): Promise<void> {
    add(digests);
    for (const digest of digests) {
      if (seen.has(digest)) continue;
      seen.add(digest);
      add(digestsIn(await readSmall(store, digest)));
    }
  }
  return {
    has: (digest) => marked.has(digest),
    add,
    deep,
    async catalog({ published, names }) {
      add([published.catalog, published.signature]);
      await deep(names);
    },
  };
}

/** The text of what may be a manifest; everything else is empty. One that is damaged stops all: what it names is unknown. */
async function readSmall(store: Store, digest: Digest): Promise<string> {
  try {
    const text = (await store.readBlob(digest, manifestLimitBytes)).toString('latin1');
    return text.startsWith('{') ? text : '';
  } catch (error) {
    if (error instanceof Fault && error.code !== 'BLOB_DIGEST_MISMATCH') return '';
    throw error;
  }
}

function nothing({ blobs }: Rubbish): GcResult {
  const none = { keptCatalogs: 0, droppedCatalogs: 0, removedBuilds: 0, removedBlobs: 0, freedBytes: 0 };
  return { ...none, keptBytes: sumOf(blobs) };
}

function sumOf(blobs: readonly { readonly sizeBytes: number }[]): number {
  return blobs.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
}
