import { parseTrustedComment } from '#bundle/catalog.ts';
import type { Digest } from '#bundle/digest.ts';
import { Fault } from '#bundle/fault.ts';
import { parseManifest, swarmFiles } from '#bundle/manifest.ts';
import { checkMetainfo, parseMetainfo } from '#bundle/metainfo.ts';
import type { PublicKey } from '#bundle/signature.ts';
import { readPart, readPublishedCatalog } from '#store/published-catalog.ts';
import type { Published, Store } from '#store/store.ts';
import type { Menu, MenuRelease } from '../boot/menu.ts';

/**
 * Reads what is published, and believes nothing of it that does not hang on a trusted key: the signature over the
 * catalog, the digests in it of manifests and torrents. The files themselves are verified before they are seeded.
 * @throws Fault of the signature, the catalog, a manifest or a torrent
 */
export async function loadMenu(
  { store, site, keys }: { readonly store: Store; readonly site: string; readonly keys: readonly PublicKey[] },
  published: Pick<Published, 'catalog' | 'signature'>,
): Promise<Menu> {
  const { catalog, trustedComment } = await readPublishedCatalog(store, published, keys);
  const signed = parseTrustedComment(trustedComment);
  if (signed.serial !== catalog.serial || signed.site !== catalog.site || catalog.site !== site) {
    throw new Fault('CATALOG_COMMENT_INVALID', 'Cannot serve the catalog: its signature is for another site or serial');
  }
  const releases = new Map<Digest, MenuRelease>();
  for (const { name, manifest, torrent } of [...catalog.bootstraps, ...catalog.parts, ...catalog.images]) {
    const manifestText = (await readPart(store, 'manifest', manifest.digest)).toString();
    const parsed = parseManifest(manifestText);
    if (parsed.name !== name) throw new Fault('MANIFEST_INVALID', `Cannot serve ${name}: wrong manifest`);
    const torrentBytes = torrent && (await readPart(store, 'torrent', torrent.digest));
    if (torrentBytes) checkMetainfo(parseMetainfo(torrentBytes), swarmFiles(parsed));
    releases.set(manifest.digest, { manifest: parsed, manifestText, ...(torrentBytes && { torrent: torrentBytes }) });
  }
  const catalogText = (await readPart(store, 'catalog', published.catalog)).toString();
  const signature = (await readPart(store, 'signature', published.signature)).toString();
  const digests = { catalogDigest: published.catalog, signatureDigest: published.signature };
  return { catalog, ...digests, catalogText, signature, releases };
}
