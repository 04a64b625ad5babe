import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { BlobRef } from '#bundle/catalog.ts';
import { type Digest, parseDigest } from '#bundle/digest.ts';
import { Fault } from '#bundle/fault.ts';
import type { Arch } from '#bundle/manifest.ts';
import { parseRecord, type RecordReader } from '#bundle/record.ts';
import { type AptOptions, common } from './apt-directory.ts';
import { applyArchive, finishArchives } from './archive.ts';
import type { TreeIndex } from './layer.ts';
import type { ToolRoot } from './tool-root.ts';

/** What is asked of a repository of a registry. */
export interface Repository {
  getManifest(
    at: { readonly tag: string } | { readonly digest: Digest },
  ): Promise<{ readonly bytes: Buffer; readonly digest: Digest }>;
  getBlob(digest: Digest, limitBytes: number): Promise<Buffer>;
  downloadBlob(ref: BlobRef, path: string): Promise<void>;
  close(): void;
}

export interface OciOptions extends Pick<AptOptions, 'log' | 'signal'> {
  readonly repository: Repository;
  /** Of a manifest, or of an index. */
  readonly digest: Digest;
  readonly arch: Arch;
  readonly toolRoot: ToolRoot;
  /** An empty directory; the caller removes it. */
  readonly workPath: string;
}

/** The files of this program that the bytes of such an image depend on. @see recipeOf */
export const ociRecipe = ['oci', 'archive', 'layer', 'in-tree', 'in-tree.sh'] as const;

const configLimitBytes = 8 * 1024 * 1024;
/** More than any builder makes (overlayfs itself takes 500). */
const layersLimit = 500;

/**
 * Makes the tree `root` in the work directory from a container image: its layers, the lowest first, with what the upper
 * ones strike out. Every byte is held against the digest.
 * @returns the date of the newest entry
 * @throws Fault `OCI_IMAGE_INVALID`, `OCI_PLATFORM_MISSING`, those of {@link applyArchive} and of the registry
 */
export async function obtainOciTree(options: OciOptions): Promise<{ readonly epoch: number }> {
  const { repository, workPath, toolRoot, log } = options;
  await mkdir(join(workPath, 'root'));
  const layers = await readLayers(options);
  const index: TreeIndex = new Map();
  let epoch = 0;
  for (const [at, { ref, compression, expected }] of layers.entries()) {
    log?.(`oci: layer ${at + 1} of ${layers.length}, ${(ref.sizeBytes / 1e6).toFixed(1)} MB`);
    const path = join(workPath, 'layer');
    await repository.downloadBlob(ref, path);
    const applied = await applyArchive(path, { compression, expected, index, toolRoot, workPath, ...common(options) });
    epoch = Math.max(epoch, applied.epoch);
  }
  await finishArchives(options);
  return { epoch };
}

interface Layer {
  readonly ref: BlobRef;
  readonly compression: 'none' | 'gzip' | 'zstd';
  /** Of the plain tar. */
  readonly expected: Digest;
}

async function readLayers(options: OciOptions): Promise<readonly Layer[]> {
  const { repository, arch } = options;
  const manifest = await readManifest(options);
  const configBytes = await repository.getBlob(blobDigest(manifest.record('config')), configLimitBytes);
  const config = parseRecord(configBytes.toString(), 'the configuration of the container image', invalid);
  const platform = `${config.string('os', 100)}/${config.string('architecture', 100)}`;
  if (platform !== `linux/${arch}`) throw platformMissing(arch, [platform]);
  const plain = config.record('rootfs').strings('diff_ids', layersLimit);
  const layers = manifest.list('layers', layersLimit);
  if (plain.length !== layers.length)
    throw imageInvalid(`it has ${layers.length} layers and digests of ${plain.length}`);
  return layers.map((layer, at) => ({
    ref: { digest: blobDigest(layer), sizeBytes: layer.integer('size') },
    compression: compressionOf(layer.string('mediaType', 200)),
    expected: ociDigest(plain[at] ?? ''),
  }));
}

/** The manifest itself; of an index that of the image's architecture. */
async function readManifest({ repository, digest, arch }: OciOptions): Promise<RecordReader> {
  const first = parseManifest((await repository.getManifest({ digest })).bytes);
  if (!first.keys().includes('manifests')) return first;
  const entries = first.list('manifests', 1000).map((entry) => {
    const platform = entry.optionalRecord('platform');
    return { entry, platform: platform ? `${platform.string('os', 100)}/${platform.string('architecture', 100)}` : '' };
  });
  const fitting = entries.find(({ platform }) => platform === `linux/${arch}`);
  const known = entries.map(({ platform }) => platform);
  if (!fitting) throw platformMissing(arch, known);
  return parseManifest((await repository.getManifest({ digest: blobDigest(fitting.entry) })).bytes);
}

const invalid = 'OCI_IMAGE_INVALID';

function parseManifest(bytes: Buffer): RecordReader {
  return parseRecord(bytes.toString(), 'the manifest of the container image', invalid);
}

function blobDigest(descriptor: RecordReader): Digest {
  return ociDigest(descriptor.string('digest', 200));
}

function ociDigest(text: string): Digest {
  const [, digest] = /^sha256:([0-9a-f]{64})$/.exec(text) ?? [];
  if (digest === undefined) throw imageInvalid(`expected sha256:…, got ${JSON.stringify(text.slice(0, 100))}`);
  return parseDigest(digest);
}

/** Of the media types of OCI and Docker; layers that lie elsewhere ("foreign") have others. */
function compressionOf(mediaType: string): Layer['compression'] {
  if (mediaType === 'application/vnd.docker.image.rootfs.diff.tar.gzip') return 'gzip';
  const [, ending] = /^application\/vnd\.oci\.image\.layer\.v1\.tar(\+gzip|\+zstd)?$/.exec(mediaType) ?? [
    undefined,
    'other',
  ];
  if (ending === undefined) return 'none';
  if (ending === '+gzip') return 'gzip';
  if (ending === '+zstd') return 'zstd';
  throw imageInvalid(`a layer is of the kind ${JSON.stringify(mediaType)}`);
}

function imageInvalid(reason: string): Fault {
  return new Fault(invalid, `Cannot use the container image: ${reason}`, {
    hint: 'Build the image with a tool that follows the OCI image specification',
    retry: 'stalled',
  });
}

function platformMissing(arch: Arch, known: readonly string[]): Fault {
  return new Fault(
    'OCI_PLATFORM_MISSING',
    `Cannot use the container image: it is for ${known.filter(Boolean).join(', ')}, expected linux/${arch}`,
    { hint: 'Name an image that is built for this architecture, or correct arch', retry: 'stalled' },
  );
}
