import { readFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { DefinitionFiles } from '#definition/files.ts';
import { type CommandSource, type ImageDefinition, isTree, type TreeSource } from '#definition/image.ts';
import { directoryOptions, folderEntries, folderFileLimitBytes, type Gathered, type Workshop } from './image-inputs.ts';
import { openImageRepository } from './image-registry.ts';
import { overlayTar } from './overlay.ts';
import { type CommandInput, obtainCommand } from './source/command.ts';
import { obtainDebianTree } from './source/debian.ts';
import { copyDirectory, writeFolderTree } from './source/directory.ts';
import { type FilesOptions, obtainFiles, obtainOrigin } from './source/files.ts';
import { obtainIso } from './source/iso.ts';
import { obtainOciTree } from './source/oci.ts';
import type { PreparedStep } from './source/run-steps.ts';
import type { SourceFile } from './source/source.ts';
import type { ToolRoot } from './source/tool-root.ts';
import { finishTree } from './source/tree.ts';

export interface ObtainOptions extends Omit<Workshop, 'toolRoot'> {
  readonly files: DefinitionFiles;
  readonly toolRoot: () => Promise<ToolRoot>;
  /** An empty directory with room for the unpacked image; the caller removes it. */
  readonly workPath: string;
}

/** Obtains the files of an image from its source. @throws those of the sources */
export async function obtain(gathered: Gathered, options: ObtainOptions): Promise<readonly SourceFile[]> {
  const { image } = gathered.inputs;
  const { source } = image;
  if (isTree(source)) return obtainTree(source, gathered, { ...options, toolRoot: await options.toolRoot() });
  const common = {
    ...options,
    arch: image.arch,
    lock: gathered.packages,
    allowedHosts: options.allowed?.hosts ?? [],
    readFolder: (path: string) => options.files.read(`images/${image.name}/${path}`, folderFileLimitBytes),
  };
  switch (source.kind) {
    case 'files':
      return obtainFiles({ ...common, files: source.files });
    case 'iso': {
      const isoPath = await obtainOrigin(source.image, join(options.workPath, 'image.iso'), common);
      return obtainIso({ ...common, isoPath, files: source.files, toolRoot: await options.toolRoot() });
    }
    case 'command': {
      const { commands: isAllowed = false } = options.allowed ?? {};
      const inputs = await commandInputs(image, source, common);
      const hidden = [dirname(options.cachePath), options.store.path];
      return obtainCommand({ ...common, ...source, inputs, isAllowed, hidden, toolRoot: await options.toolRoot() });
    }
    default:
      return source satisfies never;
  }
}

/** Committed files under their paths in the folder, others under the last part of theirs. */
async function commandInputs(
  image: ImageDefinition,
  source: CommandSource,
  options: Omit<FilesOptions, 'files'> & { readonly files: DefinitionFiles },
): Promise<readonly CommandInput[]> {
  const prefix = `images/${image.name}/`;
  const committed = (await folderEntries(image, options.files)).map(({ path, kind }) => ({
    path: path.slice(prefix.length),
    isExecutable: kind === 'executable',
    bytes: () => options.files.read(path, folderFileLimitBytes),
  }));
  const fetched: CommandInput[] = [];
  for (const origin of source.inputs) {
    if (origin.kind === 'path') continue;
    const name = basename(origin.kind === 'url' ? new URL(origin.url).pathname : origin.path);
    const path = await obtainOrigin(origin, join(options.workPath, `input-${name}`), options);
    fetched.push({ path: name, isExecutable: false, bytes: () => readFile(path) });
  }
  return [...committed, ...fetched];
}

type TreeOptions = Omit<ObtainOptions, 'toolRoot'> & { readonly toolRoot: ToolRoot };

async function obtainTree(
  source: TreeSource,
  gathered: Gathered,
  options: TreeOptions,
): Promise<readonly SourceFile[]> {
  const { image } = gathered.inputs;
  const { epoch } = await fillTree(source, gathered, options);
  const overlay = await overlayTar(options.files, image);
  return finishTree({
    ...options,
    arch: image.arch,
    method: image.start.method,
    epoch,
    ...(source.kind === 'oci' && source.kernel !== undefined && { kernel: source.kernel }),
    ...(overlay && { overlayTar: overlay }),
    run: await prepareSteps(image, options.files),
    ...(gathered.stagePackages && { stageLock: gathered.stagePackages }),
  });
}

/** Makes the tree `root` in the work directory. */
async function fillTree(
  source: TreeSource,
  { inputs, packages }: Gathered,
  options: TreeOptions,
): Promise<{ readonly epoch: number }> {
  const { image, content } = inputs;
  switch (source.kind) {
    case 'debian': {
      const debian = { ...source, arch: image.arch, method: image.start.method };
      return obtainDebianTree({ ...options, image: debian, lock: packages });
    }
    case 'directory':
      if (content === undefined) return folderTree(image, options);
      return copyDirectory({ ...options, ...directoryOptions(source.path, options), digest: content });
    case 'oci': {
      if (content === undefined) throw new TypeError('a container image has a digest');
      const repository = await openImageRepository(source.image, options);
      const { arch } = image;
      return obtainOciTree({ ...options, repository, digest: content, arch }).finally(() => repository.close());
    }
    default:
      return source satisfies never;
  }
}

async function folderTree(
  image: ImageDefinition,
  { files, workPath }: TreeOptions,
): Promise<{ readonly epoch: number }> {
  const prefix = `images/${image.name}/${image.source.kind === 'directory' ? image.source.path.replace(/\/$/, '') : ''}/`;
  const entries = (await folderEntries(image, files)).filter(({ path }) => path.startsWith(prefix));
  const tree = entries.map(({ path, kind }) => ({
    path: path.slice(prefix.length),
    isExecutable: kind === 'executable',
    read: () => files.read(path, folderFileLimitBytes),
  }));
  return writeFolderTree(tree, workPath);
}

async function prepareSteps({ name, run }: ImageDefinition, files: DefinitionFiles): Promise<readonly PreparedStep[]> {
  const steps: PreparedStep[] = [];
  for (const step of run) {
    if (step.kind === 'shell') steps.push(step);
    else steps.push({ ...step, bytes: await files.read(`images/${name}/${step.path}`, scriptLimitBytes) });
  }
  return steps;
}

const scriptLimitBytes = 1024 * 1024;
