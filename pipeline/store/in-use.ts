import { type Digest, parseDigest } from '#bundle/digest.ts';
import { parseRecord } from '#bundle/record.ts';
import type { Published } from './store.ts';

/** What is served, and must not go. */
export interface InUse {
  /** Catalogs from this serial on may be named by boots that begin while this runs. */
  readonly sinceSerial: number;
  /** What is given out now. */
  readonly blobs: readonly Digest[];
  /** Bundles that live boot sessions were sent to. */
  readonly manifests: readonly Digest[];
  /** Images of older catalogs that live boot sessions have, or that nodes may be given again. */
  readonly releases: readonly UsedRelease[];
}

export type UsedRelease = Pick<Published, 'catalog' | 'signature'> & { readonly manifest: Digest };

/** Far above what ten thousand nodes can name. */
const limit = 200_000;

/** Reads what the runtime wrote. @throws Fault `IN_USE_INVALID` and those of digests */
export function parseInUse(text: string): InUse {
  const record = parseRecord(text, 'what is in use', 'IN_USE_INVALID');
  return {
    sinceSerial: record.integer('sinceSerial', { min: 0 }),
    blobs: record.strings('blobs', limit).map(parseDigest),
    manifests: record.strings('manifests', limit).map(parseDigest),
    releases: record.list('releases', limit).map((one) => ({
      catalog: parseDigest(one.string('catalog')),
      signature: parseDigest(one.string('signature')),
      manifest: parseDigest(one.string('manifest')),
    })),
  };
}
