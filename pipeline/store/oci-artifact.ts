import type { BlobRef, Release } from '#bundle/catalog.ts';
import { type Digest, parseDigest, type Revision, version } from '#bundle/digest.ts';
import { Fault } from '#bundle/fault.ts';

/** What a layer of one of our artifacts holds. */
export type LayerKind = keyof typeof layerTypes;

export interface Layer extends BlobRef {
  readonly kind: LayerKind;
  /** Its file name, for people and for `oras pull`. */
  readonly name: string;
}

export const artifactTypes = {
  catalog: 'application/vnd.boottorrent.catalog.v1',
  bundle: 'application/vnd.boottorrent.bundle.v1',
} as const;

const layerTypes = {
  catalog: 'application/vnd.boottorrent.catalog.v1+json',
  signature: 'application/vnd.boottorrent.signature.v1.minisig',
  manifest: 'application/vnd.boottorrent.manifest.v1+json',
  torrent: 'application/x-bittorrent',
  file: 'application/vnd.boottorrent.file.v1',
} as const;

export const manifestType = 'application/vnd.oci.image.manifest.v1+json';

/** The `config` of an artifact that has none (OCI image-spec 1.1, "guidance for an empty descriptor"). */
export const emptyConfig = Buffer.from('{}');
const emptyDescriptor = {
  mediaType: 'application/vnd.oci.empty.v1+json',
  digest: 'sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a',
  size: 2,
};
export const emptyConfigRef: BlobRef = { digest: parseDigest(emptyDescriptor.digest.slice(7)), sizeBytes: 2 };

/** The tag that always names the newest catalog. */
export const latestTag = 'latest';

export function commitTag(revision: Revision): string {
  return `commit-${revision}`;
}

/** The tag of a bundle: it keeps the registry from collecting what no other manifest names. */
export function bundleTag({ name, arch, manifest }: Release): string {
  return `${name}-${arch}-${version(manifest.digest)}`;
}

/**
 * The text of an artifact's manifest: the same layers are the same bytes.
 * @see https://github.com/opencontainers/image-spec/blob/v1.1.1/manifest.md
 */
export function formatArtifact(
  kind: keyof typeof artifactTypes,
  layers: readonly Layer[],
  annotations: Readonly<Record<string, string>> = {},
): Buffer {
  const descriptors = layers.map((layer) => ({
    mediaType: layerTypes[layer.kind],
    digest: `sha256:${layer.digest}`,
    size: layer.sizeBytes,
    annotations: { 'org.opencontainers.image.title': layer.name },
  }));
  const head = { schemaVersion: 2, mediaType: manifestType, artifactType: artifactTypes[kind] };
  return Buffer.from(JSON.stringify({ ...head, config: emptyDescriptor, layers: descriptors, annotations }, null, 1));
}

/** Where catalog and signature are. Nothing of it is believed: the catalog's own signature decides. */
export interface CatalogArtifact {
  readonly catalog: Digest;
  readonly signature: Digest;
}

/** @throws Fault `REGISTRY_ARTIFACT_INVALID` */
export function parseCatalogArtifact(text: string, tag: string): CatalogArtifact {
  const parsed = parseJson(text);
  const layers: readonly unknown[] = Array.isArray(parsed?.layers) ? parsed.layers : [];
  const find = (kind: 'catalog' | 'signature'): Digest | undefined => {
    const found = layers.filter((one) => (one as { mediaType?: unknown } | null)?.mediaType === layerTypes[kind]);
    const digest = String((found[0] as { digest?: unknown } | undefined)?.digest);
    return found.length === 1 && /^sha256:[0-9a-f]{64}$/.test(digest) ? parseDigest(digest.slice(7)) : undefined;
  };
  const [catalog, signature] = [find('catalog'), find('signature')];
  if (parsed?.artifactType === artifactTypes.catalog && catalog && signature) return { catalog, signature };
  throw new Fault('REGISTRY_ARTIFACT_INVALID', `Cannot read ${tag} in the registry: it is no catalog of BootTorrent`, {
    hint: 'Something else was pushed under this name: use a repository of the registry for this site alone',
  });
}

function parseJson(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
