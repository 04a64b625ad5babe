import type { Catalog, ImageRelease, Release } from '#bundle/catalog.ts';
import type { Digest } from '#bundle/digest.ts';
import { manifestLimitBytes, parseManifest } from '#bundle/manifest.ts';
import { bundleMemoryBytes } from '#bundle/memory.ts';
import type { Definitions } from '#definition/definitions.ts';
import type { DefinitionFiles } from '#definition/files.ts';
import type { ImageDefinition } from '#definition/image.ts';
import { type BuiltBootstrap, imageRelease, planOne } from './build.ts';
import { gather, type Workshop } from './image-inputs.ts';
import type { Store } from './store/store.ts';

/** A file of a bundle; of one that is not built yet, what can be known. */
export interface PlannedFile {
  readonly name: string;
  readonly sizeBytes?: number;
  readonly sha256?: Digest;
}

/** An image as a catalog would name it, built or not. */
export interface PlannedImage extends Omit<ImageRelease, 'manifest' | 'sizeBytes' | 'torrent' | 'memoryBytes'> {
  /** Absent: it has to be built. */
  readonly manifest?: Digest;
  /** Absent: nothing is known of them before the build. */
  readonly files?: readonly PlannedFile[];
  /** Of the files, as far as sizes are known: those before the build are those of the version before. */
  readonly isEstimate: boolean;
  readonly memoryBytes?: number;
}

/** A commit as it would be published, or a catalog as it is. */
export interface Planned extends Pick<Catalog, 'menu' | 'groups'> {
  readonly images: readonly PlannedImage[];
  readonly parts: readonly Release[];
  /** Absent: it has to be built. */
  readonly bootstraps?: readonly Release[];
}

/** @throws Fault `BLOB_MISSING`, `MANIFEST_INVALID` */
export async function plannedFromCatalog(store: Store, catalog: Catalog): Promise<Planned> {
  const images: PlannedImage[] = [];
  for (const image of catalog.images) images.push(await builtImage(store, image));
  const { menu, groups, parts, bootstraps } = catalog;
  return { menu, groups, parts, bootstraps, images };
}

export interface PlannedOptions extends Workshop {
  readonly definitions: Definitions;
  readonly files: DefinitionFiles;
  /** Undefined: it has to be built. */
  readonly bootstrap: BuiltBootstrap | undefined;
  /** What is there now: sizes of what is not built yet are taken from it. */
  readonly before?: {
    readonly planned: Planned;
    /** Its files, where its commit is known. */
    readonly files?: DefinitionFiles;
  };
}

/**
 * What a build of these definitions would give, without building anything. Packages are resolved and tools are
 * opened as by a build.
 * @throws those of the sources' locks
 */
export async function plannedFromDefinitions(options: PlannedOptions): Promise<Planned> {
  const { definitions, bootstrap, before } = options;
  const images: PlannedImage[] = [];
  for (const image of definitions.images) images.push(await planImage(image, options));
  const { menu, groups } = definitions.site;
  const parts = bootstrap?.parts ?? before?.planned.parts ?? [];
  return { menu, groups, images, parts, ...(bootstrap && { bootstraps: [bootstrap.bootstrap] }) };
}

async function planImage(image: ImageDefinition, options: PlannedOptions): Promise<PlannedImage> {
  const step = await planOne(await gather(image, options.files, options), options.store);
  if (step.kind === 'reuse') return builtImage(options.store, imageRelease(image, step.release, 0));
  const known = options.before?.planned.images.find(({ name, arch }) => name === image.name && arch === image.arch);
  const { files, isEstimate } = await expectedFiles(image, known, options);
  const { name, arch } = image;
  const { title, description, start, cmdline, heartbeatMs } = imageRelease(image, noRelease(image), 0);
  const settings = { title, start, cmdline, ...(description !== undefined && { description }) };
  const filesBytes = files && sumBytes(files);
  const sizes = filesBytes === undefined ? undefined : { filesBytes, systemBytes: image.memoryBytes };
  return {
    ...{ name, arch, ...settings, ...(heartbeatMs !== undefined && { heartbeatMs }) },
    ...(files && { files }),
    isEstimate,
    ...(sizes && { memoryBytes: bundleMemoryBytes(start.method, sizes) }),
  };
}

/** The sum; undefined when one size is not known. */
export function sumBytes(files: readonly PlannedFile[]): number | undefined {
  return files.reduce<number | undefined>(
    (sum, { sizeBytes }) => (sum === undefined || sizeBytes === undefined ? undefined : sum + sizeBytes),
    0,
  );
}

function noRelease({ name, arch }: ImageDefinition): Release {
  return { name, arch, manifest: { digest: '' as Digest, sizeBytes: 0 }, sizeBytes: 0 };
}

async function builtImage(store: Store, release: ImageRelease): Promise<PlannedImage> {
  const { manifest, sizeBytes: _, torrent: __, ...image } = release;
  const { files, memoryBytes } = parseManifest((await store.readBlob(manifest.digest, manifestLimitBytes)).toString());
  const need = memoryBytes === undefined ? {} : { memoryBytes };
  return { ...image, ...need, manifest: manifest.digest, files, isEstimate: false };
}

/** Files of the folder by their size, and by their content where that did not change; all else as it was before. */
async function expectedFiles(
  { name: image, source }: ImageDefinition,
  known: PlannedImage | undefined,
  { files, before }: PlannedOptions,
): Promise<{ readonly files?: readonly PlannedFile[]; readonly isEstimate: boolean }> {
  if (!('files' in source)) {
    return { ...(known?.files && { files: known.files.map(withoutContent) }), isEstimate: true };
  }
  const entries = await files.list(`images/${image}/`);
  const expected: PlannedFile[] = [];
  let isEstimate = false;
  for (const { name, origin } of source.files) {
    const old = known?.files?.find((file) => file.name === name);
    const path = origin.kind === 'path' ? `images/${image}/${origin.path}` : undefined;
    const entry = entries.find((one) => one.path === path);
    const isSame = path !== undefined && old !== undefined && (await hasSameContent(path, [files, before?.files]));
    const sizeBytes = entry?.sizeBytes ?? old?.sizeBytes;
    isEstimate ||= !entry;
    expected.push(isSame ? old : { name, ...(sizeBytes !== undefined && { sizeBytes }) });
  }
  return { files: expected, isEstimate };
}

function withoutContent({ name, sizeBytes }: PlannedFile): PlannedFile {
  return { name, ...(sizeBytes !== undefined && { sizeBytes }) };
}

async function hasSameContent(path: string, both: readonly (DefinitionFiles | undefined)[]): Promise<boolean> {
  const [one, other] = await Promise.all(both.map((files) => files?.contentId(path).catch(() => undefined)));
  return one !== undefined && one === other;
}
