import type { BlobRef } from '#bundle/catalog.ts';
import type { Digest, InfoHash } from '#bundle/digest.ts';
import type { Manifest } from '#bundle/manifest.ts';
import type { Menu } from '../boot/menu.ts';

/** One release with everything that serving it takes. Its identity is its manifest's digest. */
export interface ServedBundle {
  readonly name: string;
  readonly kind: Manifest['kind'];
  readonly infoHash: InfoHash;
  readonly manifest: BlobRef;
  readonly torrent: BlobRef;
  readonly files: Manifest['files'];
}

/** What the runtime should be serving. */
export interface DesiredState {
  /** Digest of the signed catalog; absent: nothing was published yet. */
  readonly catalog?: Digest;
  /** Every bundle that the catalog names. */
  readonly bundles: readonly ServedBundle[];
}

/** What the runtime is serving. */
export interface ObservedState {
  /** Catalog that boot scripts and tickets are made from. */
  readonly menu?: Digest;
  /** Bundles whose blobs were verified, and which HTTP serves. */
  readonly verified: ReadonlyMap<Digest, ServedBundle>;
  readonly seeded: ReadonlySet<InfoHash>;
  /** Bundles that the menu names no more, kept for live boot sessions. */
  readonly draining: ReadonlySet<Digest>;
  /** Manifests that live boot sessions were sent to. */
  readonly inUse: ReadonlySet<Digest>;
}

/** What a verified catalog asks for. Absent: nothing was published yet. */
export function desiredState(menu: Menu | undefined): DesiredState {
  if (!menu) return { bundles: [] };
  const bundles = new Map<Digest, ServedBundle>();
  for (const { name, manifest, torrent } of [...menu.catalog.bootstraps, ...menu.catalog.images]) {
    const release = menu.releases.get(manifest.digest);
    if (!release) throw new TypeError(`The menu has no ${name}`);
    const { kind, files } = release.manifest;
    bundles.set(manifest.digest, { name, kind, infoHash: torrent.infoHash, manifest, torrent, files });
  }
  return { catalog: menu.catalogDigest, bundles: [...bundles.values()] };
}
