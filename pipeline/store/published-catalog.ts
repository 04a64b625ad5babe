import { type Catalog, catalogLimitBytes, parseCatalog } from '#bundle/catalog.ts';
import type { Digest } from '#bundle/digest.ts';
import { Fault } from '#bundle/fault.ts';
import { manifestLimitBytes } from '#bundle/manifest.ts';
import { torrentLimitBytes } from '#bundle/metainfo.ts';
import { type PublicKey, parseOwnSignature, verifySignature } from '#bundle/signature.ts';
import { nodeVerifier } from './ed25519.ts';
import type { Published, Store } from './store.ts';

const limits = {
  catalog: catalogLimitBytes,
  signature: 4096,
  manifest: manifestLimitBytes,
  torrent: torrentLimitBytes,
} as const;

/**
 * A blob of what is published, by what it is: checked against its digest before anybody parses it.
 * @throws Fault `CATALOG_DIGEST_MISMATCH`, `SIGNATURE_DIGEST_MISMATCH`, `MANIFEST_DIGEST_MISMATCH`,
 *   `TORRENT_DIGEST_MISMATCH`, `BLOB_MISSING`, `BLOB_TOO_LARGE`
 */
export async function readPart(store: Store, part: keyof typeof limits, digest: Digest): Promise<Buffer> {
  try {
    return await store.readBlob(digest, limits[part]);
  } catch (error) {
    if (!(error instanceof Fault) || error.code !== 'BLOB_DIGEST_MISMATCH') throw error;
    const { message, hint, retry } = error;
    const code = `${part.toUpperCase()}_DIGEST_MISMATCH`;
    throw new Fault(code, `Cannot use the ${part}: ${message}`, { retry, ...(hint !== undefined && { hint }) });
  }
}

/**
 * The published catalog, after its signature was checked.
 * @throws Fault `BUNDLE_SIGNATURE_INVALID`, `BUNDLE_KEY_UNKNOWN`, `CATALOG_INVALID`, those of {@link readPart}
 */
export async function readPublishedCatalog(
  store: Store,
  published: Pick<Published, 'catalog' | 'signature'>,
  keys: readonly PublicKey[],
): Promise<{ readonly catalog: Catalog; readonly trustedComment: string; readonly keyId: string }> {
  const bytes = await readPart(store, 'catalog', published.catalog);
  const signature = (await readPart(store, 'signature', published.signature)).toString();
  parseOwnSignature(signature);
  const verified = verifySignature(bytes, signature, { keys, verifier: nodeVerifier });
  return { catalog: parseCatalog(bytes.toString()), ...verified };
}
