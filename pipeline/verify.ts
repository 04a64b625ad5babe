import { type BlobRef, type Catalog, parseTrustedComment, type Release } from '#bundle/catalog.ts';
import { Fault } from '#bundle/fault.ts';
import { type Manifest, parseManifest, swarmFiles } from '#bundle/manifest.ts';
import { checkMetainfo, parseMetainfo } from '#bundle/metainfo.ts';
import type { PublicKey } from '#bundle/signature.ts';
import { digestOfFile } from './store/digest.ts';
import { readPart, readPublishedCatalog } from './store/published-catalog.ts';
import type { Store } from './store/store.ts';
import { infoHashOf } from './torrent.ts';

export interface Verification {
  readonly catalog: Catalog;
  readonly keyId: string;
  /** Of all files that were hashed. */
  readonly fileCount: number;
  readonly sizeBytes: number;
}

/**
 * Checks what is published from the signature down to the last byte, hashing every file whatever is remembered of it.
 * @returns undefined where nothing is published
 * @throws the first fault: of the signature, the catalog, a manifest, a torrent or a file
 */
export async function verifyPublished(store: Store, keys: readonly PublicKey[]): Promise<Verification | undefined> {
  const published = await store.readPublished();
  if (!published) return undefined;
  const { catalog, trustedComment, keyId } = await readPublishedCatalog(store, published, keys);
  const signed = parseTrustedComment(trustedComment);
  if (signed.serial !== catalog.serial || signed.site !== catalog.site) {
    throw new Fault(
      'CATALOG_COMMENT_INVALID',
      'Cannot accept the catalog: its signature is for another site or serial',
    );
  }
  const files: BlobRef[] = [];
  for (const release of [...catalog.bootstraps, ...catalog.parts, ...catalog.images])
    files.push(...(await verifyRelease(store, release)));
  return { catalog, keyId, fileCount: files.length, sizeBytes: files.reduce((sum, file) => sum + file.sizeBytes, 0) };
}

async function verifyRelease(store: Store, release: Release): Promise<readonly BlobRef[]> {
  const manifest = parseManifest((await readPart(store, 'manifest', release.manifest.digest)).toString());
  await verifyTorrent(store, { release, manifest });
  const files = manifest.files.map(({ sha256, sizeBytes }) => ({ digest: sha256, sizeBytes }));
  for (const file of files) await verifyFile(store, file);
  return files;
}

async function verifyTorrent(
  store: Store,
  { release, manifest }: { readonly release: Release; readonly manifest: Manifest },
): Promise<void> {
  if (!release.torrent) return;
  const torrent = await readPart(store, 'torrent', release.torrent.digest);
  if (infoHashOf(torrent) !== release.torrent.infoHash) {
    throw new Fault('TORRENT_MISMATCH', `Cannot accept the torrent of ${release.name}: its infohash is another one`);
  }
  checkMetainfo(parseMetainfo(torrent), swarmFiles(manifest));
}

async function verifyFile(store: Store, ref: BlobRef): Promise<void> {
  if (!(await store.has(ref.digest))) await store.verifyBlob(ref);
  const found = await digestOfFile(store.blobPath(ref.digest));
  if (found.digest === ref.digest && found.sizeBytes === ref.sizeBytes) return;
  throw new Fault('BLOB_DIGEST_MISMATCH', `Cannot accept blob ${ref.digest}: its bytes are not what its name says`, {
    hint: 'The file was changed or damaged on the disk: run "boottorrent publish", which builds it again',
  });
}
