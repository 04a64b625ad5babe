import type { Catalog, Release } from '#bundle/catalog.ts';
import type { Digest } from '#bundle/digest.ts';
import { partsOf } from '#bundle/start.ts';
import type { Published } from './store.ts';

/** A published catalog, and every digest that stands in it: manifests and torrents. */
export interface KnownCatalog {
  readonly published: Published;
  readonly names: readonly Digest[];
}

/** Every digest that stands in a text. */
export function digestsIn(text: string): readonly Digest[] {
  return [...new Set(text.match(/(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])/g) ?? [])] as unknown as readonly Digest[];
}

/**
 * Which catalogs stay: the published one, those that are newer than `sinceSerial`, and of the older ones the newest until
 * `keep` different contents are among them (a commit that changes no image is another catalog with the same content).
 * Records of a publish that was killed before its last step have a higher serial than the published one: they go.
 * @param catalogs newest first
 */
export function keptCatalogs(
  catalogs: readonly KnownCatalog[],
  { keep, publishedSerial, sinceSerial }: { keep: number; publishedSerial: number; sinceSerial: number },
): { readonly kept: readonly KnownCatalog[]; readonly dropped: readonly KnownCatalog[] } {
  const contents = new Set<string>();
  const kept = catalogs.filter(({ published, names }) => {
    if (published.serial > publishedSerial) return false;
    const content = names.toSorted().join(' ');
    const isNewest = contents.has(content) || contents.size < keep;
    if (isNewest) contents.add(content);
    return isNewest || published.serial >= sinceSerial;
  });
  return { kept, dropped: catalogs.filter((one) => !kept.includes(one)) };
}

/** What starting one image takes: its own release, every bootstrap, and the parts that fit it. Undefined: no such image. */
export function releasesFor(catalog: Catalog, manifest: Digest): readonly Release[] | undefined {
  const image = catalog.images.find((one) => one.manifest.digest === manifest);
  if (!image) return undefined;
  const names: readonly string[] = partsOf(image.start);
  return [...catalog.bootstraps, ...catalog.parts.filter(({ name }) => names.includes(name)), image];
}
