import { type Catalog, catalogLimitBytes, formatCatalog, type ImageRelease, type Release } from '#bundle/catalog.ts';
import { Fault } from '#bundle/fault.ts';
import type { SecretKey } from '#bundle/signature.ts';
import type { Definitions } from '#definition/definitions.ts';
import type { Commit } from '#definition/revision-files.ts';
import { signCatalog } from './sign.ts';
import { readPublishedCatalog } from './store/published-catalog.ts';
import type { Published, Store } from './store/store.ts';

export interface PublishOptions {
  readonly definitions: Definitions;
  readonly commit: Commit;
  readonly bootstraps: readonly Release[];
  readonly parts: readonly Release[];
  readonly images: readonly ImageRelease[];
  readonly store: Store;
  readonly key: SecretKey;
  /** What others published of this site and pushed to a registry; its blobs are in the store. Default: nothing. */
  readonly elsewhere?: Published;
  /** The clock, in milliseconds since 1970. */
  readonly nowMs: number;
}

/**
 * Signs a catalog of these releases and makes it the published one, by one rename. When it would say what the
 * published one says, nothing is written.
 * @throws Fault `CATALOG_TOO_LARGE`
 */
export async function publish(
  options: PublishOptions,
): Promise<{ readonly published: Published; readonly isNew: boolean }> {
  const { definitions, commit, store, key, nowMs } = options;
  const { site } = definitions.site;
  const here = await store.readPublished();
  const last = newer(here, options.elsewhere);
  if (last && (await isPublished(last, options))) {
    if (last !== here) await store.publish(last);
    return { published: last, isNew: false };
  }
  const serial = nextSerial(last?.serial, nowMs);
  const catalog = Buffer.from(formatCatalog(catalogOf(options, serial)));
  if (catalog.length > catalogLimitBytes) {
    throw new Fault('CATALOG_TOO_LARGE', `Cannot publish: the catalog has ${catalog.length} bytes, at most 1 MiB`, {
      hint: 'Use fewer groups, with patterns that cover more nodes each',
      retry: 'stalled',
    });
  }
  const signature = signCatalog(catalog, { key, site, serial });
  const published: Published = {
    catalog: (await store.putBytes(catalog)).digest,
    signature: (await store.putBytes(Buffer.from(signature))).digest,
    revision: commit.revision,
    serial,
    publishedAt: new Date(nowMs).toISOString(),
  };
  await store.publish(published);
  return { published, isNew: true };
}

function newer(here: Published | undefined, elsewhere: Published | undefined): Published | undefined {
  return (elsewhere?.serial ?? 0) > (here?.serial ?? 0) ? elsewhere : here;
}

/** Rises even when the clock goes backwards, and after the state was lost, when nothing is known of the last one. */
export function nextSerial(last: number | undefined, nowMs: number): number {
  return Math.max((last ?? 0) + 1, Math.floor(nowMs / 1000));
}

function catalogOf({ definitions, commit, bootstraps, parts, images }: PublishOptions, serial: number): Catalog {
  const { site, menu, swarm, groups } = definitions.site;
  return {
    format: 1,
    site,
    revision: commit.revision,
    committedAt: commit.committedAt,
    serial,
    bootstraps,
    parts,
    images: images.toSorted((a, b) => (a.name < b.name ? -1 : 1)),
    menu,
    swarm,
    groups,
  };
}

/** Whether the published catalog says just this, and is signed by this key. */
async function isPublished(last: Published, options: PublishOptions): Promise<boolean> {
  try {
    const { catalog } = await readPublishedCatalog(options.store, last, [options.key.publicKey]);
    return formatCatalog(catalog) === formatCatalog(catalogOf(options, last.serial));
  } catch (error) {
    // Damaged, or by another key: that is what publishing again is for.
    if (error instanceof Fault) return false;
    throw error;
  }
}
