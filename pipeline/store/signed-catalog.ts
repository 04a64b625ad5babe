import { type Catalog, parseCatalog, parseTrustedComment } from '#bundle/catalog.ts';
import { Fault } from '#bundle/fault.ts';
import { type PublicKey, parseOwnSignature, verifySignature } from '#bundle/signature.ts';
import { nodeVerifier } from './ed25519.ts';

/**
 * A catalog that came over a carrier nobody trusts: the signature over its bytes is checked before they are parsed, and
 * then that it is this site's.
 * @throws Fault `BUNDLE_SIGNATURE_INVALID`, `BUNDLE_KEY_UNKNOWN`, `CATALOG_INVALID`, `CATALOG_COMMENT_INVALID`
 */
export function readSignedCatalog(
  { catalog: bytes, signature }: { readonly catalog: Uint8Array; readonly signature: string },
  { keys, site }: { readonly keys: readonly PublicKey[]; readonly site: string },
): Catalog {
  parseOwnSignature(signature);
  const { trustedComment } = verifySignature(bytes, signature, { keys, verifier: nodeVerifier });
  const catalog = parseCatalog(Buffer.from(bytes).toString());
  const signed = parseTrustedComment(trustedComment);
  if (signed.serial === catalog.serial && signed.site === catalog.site && catalog.site === site) return catalog;
  const message = `Cannot accept the catalog: it is signed for the site ${signed.site}, serial ${signed.serial}`;
  throw new Fault('CATALOG_COMMENT_INVALID', message, { hint: `This site is ${site}, and its catalogs name it` });
}
