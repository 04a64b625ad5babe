import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type BlobRef, type Catalog, catalogLimitBytes, type Release } from '#bundle/catalog.ts';
import type { Revision } from '#bundle/digest.ts';
import { Fault } from '#bundle/fault.ts';
import { manifestLimitBytes, parseManifest, swarmFiles } from '#bundle/manifest.ts';
import { checkMetainfo, parseMetainfo, torrentLimitBytes } from '#bundle/metainfo.ts';
import type { PublicKey } from '#bundle/signature.ts';
import type { Progress } from './build.ts';
import { concurrently } from './concurrently.ts';
import type { Registry } from './registry/client.ts';
import { digestOf } from './store/digest.ts';
import { commitTag, parseCatalogArtifact } from './store/oci-artifact.ts';
import { readSignedCatalog } from './store/signed-catalog.ts';
import type { Published, Store } from './store/store.ts';
import { infoHashOf } from './torrent.ts';

export interface PullOptions {
  readonly store: Store;
  readonly registry: Registry;
  readonly keys: readonly PublicKey[];
  readonly site: string;
  readonly revision: Revision;
  /** The clock, in milliseconds since 1970. */
  readonly nowMs: number;
  readonly progress?: Progress;
  readonly signal?: AbortSignal;
}

export interface Pulled {
  readonly published: Published;
  readonly catalog: Catalog;
  readonly isNew: boolean;
  /** Blobs that the store did not have. */
  readonly fetchedBlobs: number;
  readonly fetchedBytes: number;
}

const atOnce = 3;

/**
 * Takes the bundles of a commit from a registry that somebody else pushed them to, and publishes them under the same
 * serial and signature. The registry is a carrier: everything hangs by SHA-256 on a catalog that a trusted key signed.
 * @throws Fault `REGISTRY_COMMIT_MISSING` (waiting), `CATALOG_OLDER` (waiting), `CATALOG_REVISION_MISMATCH`, those of
 *   the registry, of {@link readSignedCatalog} and of bundles
 */
export async function pullCommit(options: PullOptions): Promise<Pulled> {
  const { store, revision, progress, signal, nowMs } = options;
  const { catalog, bytes, signature } = await fetchCatalog(options);
  const last = await store.readPublished();
  refuseOlder(catalog, last, digestOf(bytes));
  const releases = [...catalog.bootstraps, ...catalog.parts, ...catalog.images];
  const receiver = await openReceiver(options);
  let done = 0;
  const tasks = releases.map((release) => async () => {
    progress?.({ done, total: releases.length, name: `pull ${release.name}` });
    await receiveRelease(release, receiver);
    done++;
  });
  await concurrently(tasks, { limit: atOnce, ...(signal && { signal }) });
  await receiver.end();
  progress?.({ done, total: releases.length, name: 'done' });
  const parts = await digestsOf(store, { bytes, signature });
  const isNew = last?.catalog !== parts.catalog || last.signature !== parts.signature;
  const publishedAt = new Date(nowMs).toISOString();
  const published = isNew || !last ? { ...parts, revision, serial: catalog.serial, publishedAt } : last;
  if (isNew) await store.publish(published);
  return { published, catalog, isNew, ...receiver.fetched() };
}

/** Puts the two small blobs into the store. */
async function digestsOf(store: Store, { bytes, signature }: { readonly bytes: Buffer; readonly signature: Buffer }) {
  return { catalog: (await store.putBytes(bytes)).digest, signature: (await store.putBytes(signature)).digest };
}

async function fetchCatalog({ registry, keys, site, revision }: PullOptions) {
  const tag = commitTag(revision);
  const artifact = await registry.getManifest({ tag }).catch((error) => {
    throw error instanceof Fault && error.code === 'REGISTRY_NOT_FOUND' ? missing(revision) : error;
  });
  const at = parseCatalogArtifact(artifact.bytes.toString(), tag);
  const bytes = await registry.getBlob(at.catalog, catalogLimitBytes);
  const signature = await registry.getBlob(at.signature, 4096);
  const catalog = readSignedCatalog({ catalog: bytes, signature: signature.toString() }, { keys, site });
  if (catalog.revision === revision) return { catalog, bytes, signature };
  const message = `Cannot accept ${tag}: the catalog in it is that of commit ${catalog.revision}`;
  throw new Fault('CATALOG_REVISION_MISMATCH', message, { hint: 'Push the commit again from where it is built' });
}

/** A catalog that was good once must not come back: nodes and people would take old contents for the newest. */
function refuseOlder(catalog: Catalog, last: Published | undefined, digest: string): void {
  if (!last || catalog.serial > last.serial || (catalog.serial === last.serial && digest === last.catalog)) return;
  const message = `Cannot take commit ${catalog.revision.slice(0, 12)} from the registry: its catalog has serial ${catalog.serial}, and ${last.serial} is published already`;
  throw new Fault('CATALOG_OLDER', message, {
    hint: 'Publish the commit again where it is built: it gets a new serial there',
    retry: 'waiting',
  });
}

function missing(revision: Revision): Fault {
  return new Fault('REGISTRY_COMMIT_MISSING', `Waiting for the registry to have ${revision.slice(0, 12)}`, {
    hint: 'It comes when the commit was built and pushed elsewhere; "build: local" has it built here',
    retry: 'waiting',
  });
}

interface Receiver {
  /** A small blob, into the store. */
  bytes(ref: BlobRef, limitBytes: number): Promise<Buffer>;
  file(ref: BlobRef): Promise<void>;
  fetched(): { readonly fetchedBlobs: number; readonly fetchedBytes: number };
  end(): Promise<void>;
}

/** What is there and whole is not fetched again; what a killed pull began is gone on with. */
async function openReceiver({ store, registry }: PullOptions): Promise<Receiver> {
  const partial = join(store.path, 'partial');
  await mkdir(partial, { recursive: true });
  let [fetchedBlobs, fetchedBytes] = [0, 0];
  const count = ({ sizeBytes }: BlobRef) => {
    fetchedBlobs++;
    fetchedBytes += sizeBytes;
  };
  const underWay = new Map<string, Promise<void>>();
  const isThere = (ref: BlobRef) =>
    store.verifyBlob(ref).then(
      () => true,
      () => false,
    );
  async function fetchFile(ref: BlobRef): Promise<void> {
    if (await isThere(ref)) return;
    const path = join(partial, ref.digest);
    await registry.downloadBlob(ref, path);
    await store.putFile(path);
    count(ref);
  }
  return {
    async bytes(ref, limitBytes) {
      if (await isThere(ref)) return store.readBlob(ref.digest, limitBytes);
      const bytes = await registry.getBlob(ref.digest, Math.min(ref.sizeBytes, limitBytes));
      await store.putBytes(bytes);
      count(ref);
      return bytes;
    },
    file(ref) {
      // Two images that share a file share its download.
      const work = underWay.get(ref.digest) ?? fetchFile(ref);
      underWay.set(ref.digest, work);
      return work;
    },
    fetched: () => ({ fetchedBlobs, fetchedBytes }),
    end: () => rm(partial, { recursive: true, force: true }),
  };
}

async function receiveRelease({ name, manifest, torrent }: Release, receiver: Receiver): Promise<void> {
  const parsed = parseManifest((await receiver.bytes(manifest, manifestLimitBytes)).toString());
  if (parsed.name !== name) throw new Fault('MANIFEST_INVALID', `Cannot accept ${name}: wrong manifest`);
  if (torrent) {
    const bytes = await receiver.bytes(torrent, torrentLimitBytes);
    if (infoHashOf(bytes) !== torrent.infoHash) {
      throw new Fault('TORRENT_MISMATCH', `Cannot accept the torrent of ${name}: its infohash is another one`);
    }
    checkMetainfo(parseMetainfo(bytes), swarmFiles(parsed));
  }
  for (const { sha256, sizeBytes } of parsed.files) await receiver.file({ digest: sha256, sizeBytes });
}
