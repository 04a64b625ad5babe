import { rm } from 'node:fs/promises';
import { type ImageRelease, parseRelease, type Release } from '#bundle/catalog.ts';
import { Fault } from '#bundle/fault.ts';
import { manifestLimitBytes, parseManifest } from '#bundle/manifest.ts';
import { recordReader } from '#bundle/record.ts';
import type { Definitions } from '#definition/definitions.ts';
import type { DefinitionFiles } from '#definition/files.ts';
import type { ImageDefinition } from '#definition/image.ts';
import { concurrently } from './concurrently.ts';
import { type Gathered, gather, type Workshop } from './image-inputs.ts';
import { obtain } from './obtain.ts';
import { packBundle } from './pack.ts';
import { formatInputs, plan, type Step } from './plan.ts';
import { digestOf } from './store/digest.ts';
import { keepInputs } from './store/keep-inputs.ts';
import type { Store } from './store/store.ts';

/** Told when each step begins, and once more at the end with `done` = `total`. */
export type Progress = (progress: { readonly done: number; readonly total: number; readonly name: string }) => void;

export interface BuildOptions extends Workshop {
  readonly definitions: Definitions;
  /** Where overlays and files of the images are read from. */
  readonly files: DefinitionFiles;
  /** What is built beside the images: told by the same progress. */
  readonly bootstrap: (signal: AbortSignal) => Promise<BuiltBootstrap>;
  readonly progress?: Progress;
}

/** The bootstrap of one architecture, and the bundles that belong to it. */
export interface BuiltBootstrap {
  readonly bootstrap: Release;
  readonly parts: readonly Release[];
}

export interface Built {
  readonly bootstraps: readonly Release[];
  readonly parts: readonly Release[];
  readonly images: readonly ImageRelease[];
  /** Names of the images that were not in the store. */
  readonly built: readonly string[];
}

/** Steps download, unpack and compress by turns: two keep network and processors busy without filling the disk. */
const atOnce = 2;

/**
 * Brings every image of a commit, and the bootstrap, into the store. What was built before from the same inputs is
 * not built again.
 * @throws those of the sources; nothing of a failed build is left but what the store can use again
 */
export async function build(options: BuildOptions): Promise<Built> {
  const { definitions, progress, signal } = options;
  const total = definitions.images.length + 1;
  let done = 0;
  const step = <T>(name: string, work: (signal: AbortSignal) => Promise<T>) => {
    return async (signal: AbortSignal): Promise<T> => {
      progress?.({ done, total, name });
      const result = await work(signal);
      done++;
      return result;
    };
  };
  const built: string[] = [];
  let bootstrap: BuiltBootstrap | undefined;
  const images: ImageRelease[] = [];
  const tasks = [
    step('bootstrap', async (signal) => {
      bootstrap = await options.bootstrap(signal);
    }),
    ...definitions.images.map((image) =>
      step(image.name, async (signal) => {
        const { release, isNew } = await bring(image, { ...options, signal });
        if (isNew) built.push(image.name);
        images.push(imageRelease(image, release, await memoryBytesOf(release, options.store)));
      }),
    ),
  ];
  await concurrently(tasks, { limit: atOnce, ...(signal && { signal }) });
  progress?.({ done, total, name: 'done' });
  const { parts = [] } = bootstrap ?? {};
  return { bootstraps: bootstrap ? [bootstrap.bootstrap] : [], parts, images, built: built.toSorted() };
}

/** What a catalog says of an image. */
export function imageRelease(image: ImageDefinition, release: Release, memoryBytes: number): ImageRelease {
  const { title, description, start, cmdline, heartbeatMs } = image;
  return {
    ...release,
    title,
    ...(description !== undefined && { description }),
    start,
    cmdline,
    memoryBytes,
    ...(heartbeatMs !== undefined && { heartbeatMs }),
  };
}

async function memoryBytesOf(release: Release, store: Store): Promise<number> {
  const text = (await store.readBlob(release.manifest.digest, manifestLimitBytes)).toString();
  return parseManifest(text).memoryBytes ?? 0;
}

/** An image's release: the one in the store if its inputs are the same, else a new one. */
async function bring(
  image: ImageDefinition,
  options: BuildOptions,
): Promise<{ readonly release: Release; readonly isNew: boolean }> {
  const gathered = await gather(image, options.files, options);
  await keepInputs(options.store, formatInputs(gathered.inputs));
  const step = await planOne(gathered, options.store);
  if (step.kind === 'reuse') return { release: step.release, isNew: false };
  return { release: await buildImage({ step, gathered, options }), isNew: true };
}

/** Whether an image's bundle is in the store, or has to be built. */
export async function planOne({ inputs }: Gathered, store: Store): Promise<Step> {
  const digest = digestOf(formatInputs(inputs));
  const release = await keptRelease(store, await store.readBuild(digest));
  const [step] = plan([inputs], { digestOf, kept: new Map(release ? [[digest, release]] : []) });
  return step as Step;
}

async function buildImage(one: {
  readonly step: Step & { readonly kind: 'build' };
  readonly gathered: Gathered;
  readonly options: BuildOptions;
}): Promise<Release> {
  const { step, gathered, options } = one;
  const release = await buildAnew(gathered, options);
  await options.store.writeBuild(step.inputs, release);
  return release;
}

/** Builds an image whether the store has it or not, and remembers nothing of it but its files. */
export async function buildAnew(gathered: Gathered, options: BuildOptions): Promise<Release> {
  const { name, arch, start, memoryBytes: systemBytes } = gathered.inputs.image;
  const { method } = start;
  // Modes of folders that a build makes are in its result: they must not be those of whoever starts it.
  process.umask(0o022);
  const workPath = await options.store.workDirectory();
  try {
    const files = await obtain(gathered, { ...options, workPath });
    return await packBundle(options.store, { kind: 'image', name, arch, method, systemBytes, files });
  } finally {
    await rm(workPath, { recursive: true, force: true });
  }
}

/** A release that was kept, if it can be read and every file of it is still there and whole. */
export async function keptRelease(store: Store, kept: unknown): Promise<Release | undefined> {
  if (kept === undefined) return undefined;
  try {
    const release = parseRelease(recordReader(kept, 'a kept build', 'BUILD_INVALID'));
    const manifest = parseManifest((await store.readBlob(release.manifest.digest, manifestLimitBytes)).toString());
    const { torrent } = release;
    const files = manifest.files.map(({ sha256, sizeBytes }) => ({ digest: sha256, sizeBytes }));
    // One that was damaged since is built again: hashed only where its time or size has changed.
    for (const ref of [...(torrent ? [torrent] : []), ...files]) await store.verifyBlob(ref);
    return release;
  } catch (error) {
    if (error instanceof Fault) return undefined;
    throw error;
  }
}
