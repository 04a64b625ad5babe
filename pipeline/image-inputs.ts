import { Fault } from '#bundle/fault.ts';
import type { ContentId, DefinitionFiles } from '#definition/files.ts';
import type { ImageDefinition } from '#definition/image.ts';
import { overlayInputs } from './overlay.ts';
import type { ImageInputs } from './plan.ts';
import { debianRecipe, debianRequest } from './source/debian.ts';
import { filesRequests } from './source/files.ts';
import { stageRequest } from './source/kexec-root.ts';
import { type LockOptions, lockPackages } from './source/lock.ts';
import type { LockedPackage } from './source/package-list.ts';
import type { LogLine } from './source/source.ts';
import type { ToolRoot } from './source/tool-root.ts';
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
  if (image.source.kind === 'debian') {
    const overlay = await overlayInputs(files, image.name);
    const { method } = image.start;
    const debian = { ...image.source, arch: image.arch, method };
    const packages = await lockPackages(debianRequest(debian), options);
    const stagePackages = method === 'kexec' ? await lockPackages(stageRequest(debian), options) : [];
    const inputs: ImageInputs = {
      image,
      ...(overlay && { overlay: digestOf(overlay) }),
      files: {},
      packages: [...packages, ...stagePackages].map((one) => one.sha256),
      recipe: await debianRecipe(debian),
      tools: (await workshop.toolRoot()).versions,
    };
    return { inputs, packages, stagePackages };
  }
  const packages = await lockOrigins(image, options);
  const inputs: ImageInputs = {
    image,
    files: await folderContents(image, files),
    packages: packages.map((one) => one.sha256),
    recipe: 'none',
    tools: {},
  };
  return { inputs, packages };
}

/** The packages that hold files of an image, each alone: nothing of what they depend on is used. */
async function lockOrigins({ source, arch }: ImageDefinition, options: LockOptions): Promise<readonly LockedPackage[]> {
  const packages: LockedPackage[] = [];
  for (const request of source.kind === 'files' ? filesRequests(source.files, arch) : []) {
    packages.push(...(await lockPackages(request, options)));
  }
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
  { name, source }: ImageDefinition,
  files: DefinitionFiles,
): Promise<Readonly<Record<string, ContentId>>> {
  const contents: Record<string, ContentId> = {};
  for (const { origin } of source.kind === 'files' ? source.files : []) {
    if (origin.kind !== 'path') continue;
    contents[origin.path] = await files.contentId(`images/${name}/${origin.path}`);
  }
  return contents;
}
