import type { Digest } from '#bundle/digest.ts';
import { Fault } from '#bundle/fault.ts';
import type { ContentId, DefinitionFiles, FileEntry } from '#definition/files.ts';
import { type FileOrigin, type ImageDefinition, type ImageSource, isTree, type TreeSource } from '#definition/image.ts';
import type { Site } from '#definition/site.ts';
import { resolveTag } from './image-registry.ts';
import { overlayInputs } from './overlay.ts';
import type { ImageInputs } from './plan.ts';
import { commandRecipe } from './source/command.ts';
import { debianRecipe, debianRequest } from './source/debian.ts';
import { directoryDigest, directoryRecipe } from './source/directory.ts';
import { filesRequests } from './source/files.ts';
import { isoRecipe } from './source/iso.ts';
import { stageRequest } from './source/kexec-root.ts';
import { type LockOptions, lockPackages } from './source/lock.ts';
import { ociRecipe } from './source/oci.ts';
import { lockOciImage } from './source/oci-lock.ts';
import type { LockedPackage } from './source/package-list.ts';
import type { PackageRequest } from './source/package-lock.ts';
import { recipeOf } from './source/recipe.ts';
import type { LogLine } from './source/source.ts';
import type { ToolRoot } from './source/tool-root.ts';
import { stageSuite, treeRecipe } from './source/tree.ts';
import { digestOf } from './store/digest.ts';
import type { Store } from './store/store.ts';

/** What every build needs of its surroundings. */
export interface Workshop {
  readonly store: Store;
  /** Where tool roots and package lists are kept, usually `<state>/tools`. */
  readonly cachePath: string;
  /** Opened only when something needs it. */
  readonly toolRoot: () => Promise<ToolRoot>;
  /** Root URI of the Debian archive. Default: the mirror of this host, else Debian's. */
  readonly mirror?: string;
  /** Resolve packages anew although the store remembers an answer. Default: false. */
  readonly refresh?: boolean;
  /** What sources may reach on this machine, from its own boot.config.yaml. Default: nothing. */
  readonly allowed?: Site['sources'];
  readonly log?: LogLine;
  readonly signal?: AbortSignal;
}

/** An image with everything that its build reads, none of it built yet. */
export interface Gathered {
  readonly inputs: ImageInputs;
  readonly packages: readonly LockedPackage[];
  /** With a root filesystem for kexec: what its first stage is made of. */
  readonly stagePackages?: readonly LockedPackage[];
}

/** Files in an image's folder that a source may name: they travel to every node, but they must also fit into memory. */
export const folderFileLimitBytes = 1024 * 1024 * 1024;

const lockFileLimitBytes = 4 * 1024 * 1024;

/** Reads and locks what an image is made of. @throws those of the sources' locks */
export async function gather(image: ImageDefinition, files: DefinitionFiles, workshop: Workshop): Promise<Gathered> {
  const lockFile = await readLockFile(files, image.name);
  const options = { ...workshop, ...(lockFile && { lockFile }) };
  if (isTree(image.source)) return gatherTree({ ...image, source: image.source }, files, options);
  const packages = await lockAll(packageRequests(image).packages, options);
  const recipe = fileRecipes[image.source.kind];
  const inputs: ImageInputs = {
    image,
    files: await folderContents(image, files),
    packages: packages.map((one) => one.sha256),
    recipe: recipe.length > 0 ? await recipeOf(recipe) : 'none',
    tools: recipe.length > 0 ? (await workshop.toolRoot()).versions : {},
  };
  return { inputs, packages };
}

const fileRecipes = { files: [], iso: isoRecipe, command: commandRecipe } as const;

/** What of Debian an image is made of: the packages of its tree and of its first stage, and those that hold its files. */
export function packageRequests({ source, arch, start }: ImageDefinition): PackageRequests {
  const { method } = start;
  if (!isTree(source)) {
    const origins = originsOf(source).map((origin) => ({ origin }));
    return { packages: filesRequests(origins, arch), stage: [] };
  }
  const suite = source.kind === 'debian' ? source.suite : stageSuite;
  return {
    packages: source.kind === 'debian' ? [debianRequest({ ...source, arch, method })] : [],
    stage: method === 'kexec' ? [stageRequest({ suite, arch })] : [],
  };
}

export interface PackageRequests {
  readonly packages: readonly PackageRequest[];
  readonly stage: readonly PackageRequest[];
}

/** Where the files that an image is made of come from. */
function originsOf(source: ImageSource): readonly FileOrigin[] {
  switch (source.kind) {
    case 'files':
      return source.files.map(({ origin }) => origin);
    case 'iso':
      return [source.image];
    case 'command':
      return source.inputs;
    case 'directory':
      return source.path.startsWith('/') ? [] : [{ kind: 'path', path: `${source.path.replace(/\/$/, '')}/` }];
    case 'debian':
    case 'oci':
      return [];
    default:
      return source satisfies never;
  }
}

/** A root filesystem: what is in it, what is laid over it, and the steps that are run in it. */
async function gatherTree(
  image: ImageDefinition & { readonly source: TreeSource },
  files: DefinitionFiles,
  options: Workshop & LockOptions,
): Promise<Gathered> {
  const { source } = image;
  const { method } = image.start;
  const overlay = await overlayInputs(files, image);
  const requests = packageRequests(image);
  const packages = await lockAll(requests.packages, options);
  const stagePackages = await lockAll(requests.stage, options);
  const content = await treeContent(image, options);
  const inputs: ImageInputs = {
    image,
    ...(overlay && { overlay: digestOf(overlay) }),
    ...(content !== undefined && { content }),
    files: await folderContents(image, files),
    packages: [...packages, ...stagePackages].map((one) => one.sha256),
    recipe: await recipeOf([...recipes[source.kind], ...treeRecipe(method)]),
    tools: (await options.toolRoot()).versions,
  };
  return { inputs, packages, stagePackages };
}

const recipes = { debian: debianRecipe, oci: ociRecipe, directory: directoryRecipe } as const;

/** What a tree that lies outside of the commit has in it. */
async function treeContent({ source }: ImageDefinition, options: Workshop & LockOptions): Promise<Digest | undefined> {
  if (source.kind === 'oci') {
    return lockOciImage(source.image, { ...options, resolve: () => resolveTag(source.image, options) });
  }
  if (source.kind !== 'directory' || !source.path.startsWith('/')) return undefined;
  return directoryDigest({ ...options, ...directoryOptions(source.path, options), toolRoot: await options.toolRoot() });
}

/** Which tree of this machine, and what it allows. */
export function directoryOptions(
  path: string,
  { allowed }: Pick<Workshop, 'allowed'>,
): { path: string; allowed: readonly string[] } {
  return { path, allowed: allowed?.directories ?? [] };
}

async function lockAll(requests: readonly PackageRequest[], options: LockOptions): Promise<readonly LockedPackage[]> {
  const packages: LockedPackage[] = [];
  for (const request of requests) packages.push(...(await lockPackages(request, options)));
  return packages;
}

async function readLockFile(
  files: DefinitionFiles,
  name: string,
): Promise<{ readonly name: string; readonly text: string } | undefined> {
  const path = `images/${name}/image.lock`;
  try {
    return { name: path, text: (await files.read(path, lockFileLimitBytes)).toString() };
  } catch (error) {
    if (error instanceof Fault && error.code === 'FILE_MISSING') return undefined;
    throw error;
  }
}

async function folderContents(
  image: ImageDefinition,
  files: DefinitionFiles,
): Promise<Readonly<Record<string, ContentId>>> {
  const contents: Record<string, ContentId> = {};
  for (const { path, kind } of await folderEntries(image, files)) {
    const id = await files.contentId(path);
    contents[path.slice(`images/${image.name}/`.length)] = kind === 'executable' ? `${id}+x` : id;
  }
  return contents;
}

/** The files of its folder that an image names, the overlay aside. */
export async function folderEntries(
  { name, source, run }: ImageDefinition,
  files: DefinitionFiles,
): Promise<readonly FileEntry[]> {
  const named = [
    ...run.flatMap((step) => (step.kind === 'script' ? [step.path] : [])),
    ...originsOf(source).flatMap((origin) => (origin.kind === 'path' ? [origin.path] : [])),
  ].map((path) => `images/${name}/${path}`);
  const entries = named.length > 0 ? await files.list(`images/${name}/`) : [];
  return entries.filter(({ path }) => named.some((one) => path === one || (one.endsWith('/') && path.startsWith(one))));
}
