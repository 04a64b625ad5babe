import type { BlobRef, Release, TorrentRef } from '#bundle/catalog.ts';
import type { Digest, InfoHash } from '#bundle/digest.ts';
import type { Manifest } from '#bundle/manifest.ts';
import { partsOf } from '#bundle/start.ts';
import type { Menu } from '../boot/menu.ts';

/** One release with everything that serving it takes. Its identity is its manifest's digest. */
export interface ServedBundle {
  readonly name: string;
  readonly kind: Manifest['kind'];
  readonly manifest: BlobRef;
  /** Absent when nothing of it goes through the swarm. */
  readonly torrent?: TorrentRef;
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

/** An image of an older catalog, for nodes that the published one does not boot on. */
export interface OlderRelease {
  readonly menu: Menu;
  /** The image's. */
  readonly manifest: Digest;
}

/** What a verified catalog asks for, and what older ones still do. Absent: nothing was published yet. */
export function desiredState(menu: Menu | undefined, older: readonly OlderRelease[] = []): DesiredState {
  if (!menu) return { bundles: [] };
  const { bootstraps, parts, images } = menu.catalog;
  const current = servedBundles(menu, [...bootstraps, ...parts, ...images]);
  const kept = older.flatMap((one) => olderBundles(one));
  const bundles = new Map([...kept, ...current].map((bundle) => [bundle.manifest.digest, bundle]));
  return { catalog: menu.catalogDigest, bundles: [...bundles.values()] };
}

/** What starting one image of an older catalog takes: its bootstrap, the parts that fit it, and itself. */
function olderBundles({ menu, manifest }: OlderRelease): readonly ServedBundle[] {
  const { bootstraps, parts, images } = menu.catalog;
  const image = images.find((one) => one.manifest.digest === manifest);
  if (!image) return [];
  const names: readonly string[] = partsOf(image.start);
  const fitting = [...bootstraps, ...parts.filter(({ name }) => names.includes(name))];
  return servedBundles(menu, [image, ...fitting.filter(({ arch }) => arch === image.arch)]);
}

function servedBundles(menu: Menu, releases: readonly Release[]): readonly ServedBundle[] {
  return releases.map(({ name, manifest, torrent }) => {
    const release = menu.releases.get(manifest.digest);
    if (!release) throw new TypeError(`The menu has no ${name}`);
    const { kind, files } = release.manifest;
    return { name, kind, manifest, ...(torrent && { torrent }), files };
  });
}

/** The digests that HTTP gives out: of every file, manifest and torrent of a verified bundle. */
export function blobsOf({ verified }: ObservedState): ReadonlySet<Digest> {
  return new Set(
    [...verified.values()].flatMap(({ manifest, torrent, files }) => [
      manifest.digest,
      ...(torrent ? [torrent.digest] : []),
      ...files.map((file) => file.sha256),
    ]),
  );
}
