import { type BlobRef, type Catalog, catalogLimitBytes, type Release } from '#bundle/catalog.ts';
import { Fault } from '#bundle/fault.ts';
import { parseManifest } from '#bundle/manifest.ts';
import type { PublicKey } from '#bundle/signature.ts';
import type { Progress } from './build.ts';
import { concurrently } from './concurrently.ts';
import type { Registry } from './registry/client.ts';
import {
  bundleTag,
  commitTag,
  emptyConfig,
  emptyConfigRef,
  formatArtifact,
  type Layer,
  latestTag,
  manifestType,
  parseCatalogArtifact,
} from './store/oci-artifact.ts';
import { readPart, readPublishedCatalog } from './store/published-catalog.ts';
import { readSignedCatalog } from './store/signed-catalog.ts';
import type { Published, Store } from './store/store.ts';

export interface PushOptions {
  readonly store: Store;
  readonly registry: Registry;
  readonly keys: readonly PublicKey[];
  readonly progress?: Progress;
  readonly signal?: AbortSignal;
}

export interface Pushed {
  readonly tag: string;
  /** Blobs that the registry did not have. */
  readonly sentBlobs: number;
  readonly sentBytes: number;
}

const atOnce = 3;

/**
 * Brings a published catalog and all that it names into a registry. Tags come last: the commit's when everything is
 * there, then the moving one. Ended at any point, the registry has the old or the new; the next push goes on.
 * @throws those of the store and of the registry
 */
export async function pushPublished(published: Published, options: PushOptions): Promise<Pushed> {
  const { store, registry, keys, progress, signal } = options;
  const { catalog } = await readPublishedCatalog(store, published, keys);
  const releases = [...catalog.bootstraps, ...catalog.parts, ...catalog.images];
  const sender = openSender(options);
  await registry.putBlob(emptyConfigRef, { bytes: emptyConfig });
  let done = 0;
  const tasks = releases.map((release) => async () => {
    progress?.({ done, total: releases.length, name: `push ${release.name}` });
    const layers = await layersOf(store, release);
    for (const layer of layers) await sender.send(layer);
    const bytes = formatArtifact('bundle', layers, { 'org.opencontainers.image.title': release.name });
    await registry.putManifest(bundleTag(release), { mediaType: manifestType, bytes });
    done++;
  });
  await concurrently(tasks, { limit: atOnce, ...(signal && { signal }) });
  const tag = await pushCatalog(published, { ...options, catalog, send: sender.send });
  progress?.({ done, total: releases.length, name: 'done' });
  return { tag, ...sender.sent() };
}

/** The newest catalog of a registry, whoever pushed it; undefined where there is none. */
export async function readLatest(
  registry: Registry,
  options: { readonly keys: readonly PublicKey[]; readonly site: string },
): Promise<{ readonly catalog: Catalog; readonly bytes: Buffer; readonly signature: Buffer } | undefined> {
  try {
    const artifact = await registry.getManifest({ tag: latestTag });
    const at = parseCatalogArtifact(artifact.bytes.toString(), latestTag);
    const bytes = await registry.getBlob(at.catalog, catalogLimitBytes);
    const signature = await registry.getBlob(at.signature, 4096);
    return {
      catalog: readSignedCatalog({ catalog: bytes, signature: signature.toString() }, options),
      bytes,
      signature,
    };
  } catch (error) {
    if (error instanceof Fault && error.code === 'REGISTRY_NOT_FOUND') return undefined;
    throw error;
  }
}

async function pushCatalog(
  published: Published,
  { store, registry, keys, catalog, send }: PushOptions & { catalog: Catalog; send: (ref: BlobRef) => Promise<void> },
): Promise<string> {
  const bytes = await readPart(store, 'catalog', published.catalog);
  const signature = await readPart(store, 'signature', published.signature);
  const layers: readonly Layer[] = [
    { kind: 'catalog', name: 'catalog.json', digest: published.catalog, sizeBytes: bytes.length },
    { kind: 'signature', name: 'catalog.json.minisig', digest: published.signature, sizeBytes: signature.length },
  ];
  for (const layer of layers) await send(layer);
  const { revision, serial, site } = catalog;
  const notes = { 'org.opencontainers.image.revision': revision, 'org.opencontainers.image.version': String(serial) };
  const artifact = { mediaType: manifestType, bytes: formatArtifact('catalog', layers, notes) };
  await registry.putManifest(commitTag(revision), artifact);
  // Two pushes at once: the higher serial is the newer one, whichever ends last.
  const latest = await readLatest(registry, { keys, site });
  if (!latest || latest.catalog.serial < serial) await registry.putManifest(latestTag, artifact);
  return commitTag(revision);
}

async function layersOf(store: Store, { manifest, torrent }: Release): Promise<readonly Layer[]> {
  const parsed = parseManifest((await readPart(store, 'manifest', manifest.digest)).toString());
  return [
    { kind: 'manifest', name: 'manifest.json', ...refOf(manifest) },
    ...(torrent ? [{ kind: 'torrent' as const, name: `${parsed.name}.torrent`, ...refOf(torrent) }] : []),
    ...parsed.files.map(({ name, sha256, sizeBytes }) => ({ kind: 'file' as const, name, digest: sha256, sizeBytes })),
  ];
}

function refOf({ digest, sizeBytes }: BlobRef): BlobRef {
  return { digest, sizeBytes };
}

function openSender({ store, registry }: PushOptions) {
  let [sentBlobs, sentBytes] = [0, 0];
  return {
    async send(ref: BlobRef): Promise<void> {
      await store.verifyBlob(ref);
      if (!(await registry.putBlob(ref, { path: store.blobPath(ref.digest) }))) return;
      sentBlobs++;
      sentBytes += ref.sizeBytes;
    },
    sent: () => ({ sentBlobs, sentBytes }),
  };
}
