import type { DefinitionFiles } from '#definition/files.ts';
import { type ImageDefinition, isTree, type TreeSource } from '#definition/image.ts';
import { directoryOptions, folderEntries, folderFileLimitBytes, type Gathered, type Workshop } from './image-inputs.ts';
import { overlayTar } from './overlay.ts';
import { obtainDebianTree } from './source/debian.ts';
import { copyDirectory, writeFolderTree } from './source/directory.ts';
import { obtainFiles } from './source/files.ts';
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
  return obtainFiles({
    ...options,
    files: source.files,
    arch: image.arch,
    lock: gathered.packages,
    allowedHosts: options.allowed?.hosts ?? [],
    readFolder: (path) => options.files.read(`images/${image.name}/${path}`, folderFileLimitBytes),
  });
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
