import { type Catalog, catalogLimitBytes, parseCatalog } from '#bundle/catalog.ts';
import { type PublicKey, verifySignature } from '#bundle/signature.ts';
import { nodeVerifier } from './ed25519.ts';
import type { Published, Store } from './store.ts';

/**
 * The published catalog, after its signature was checked.
 * @throws Fault `BUNDLE_SIGNATURE_INVALID`, `BUNDLE_KEY_UNKNOWN`, `BLOB_MISSING`, `BLOB_DIGEST_MISMATCH`, `CATALOG_INVALID`
 */
export async function readPublishedCatalog(
  store: Store,
  published: Pick<Published, 'catalog' | 'signature'>,
  keys: readonly PublicKey[],
): Promise<{ readonly catalog: Catalog; readonly trustedComment: string; readonly keyId: string }> {
  const bytes = await store.readBlob(published.catalog, catalogLimitBytes);
  const signature = (await store.readBlob(published.signature, 4096)).toString();
  const verified = verifySignature(bytes, signature, { keys, verifier: nodeVerifier });
  return { catalog: parseCatalog(bytes.toString()), ...verified };
}
