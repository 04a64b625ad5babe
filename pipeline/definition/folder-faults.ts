import { Fault } from '#bundle/fault.ts';
import type { SourceDocument } from './document.ts';
import { definitionFault } from './faults.ts';
import type { DefinitionFiles, FileEntry } from './files.ts';
import { type ImageDefinition, isTree } from './image.ts';
import { rolePath } from './read-source.ts';
import { formatPath } from './schema.ts';
import { templateEnding, templateFaults } from './template.ts';

/** A template is text that people write. */
const templateLimitBytes = 1024 * 1024;

type Step = string | number;

/** A path of an image's folder, and where in `image.yaml` it is written. */
interface Named {
  readonly path: string;
  readonly at: readonly Step[];
  /** Whether the path of a folder will do. */
  readonly mayBeFolder?: boolean;
}

/** Files that an image names but its folder does not have, and an overlay that nothing can be laid over. */
export function folderFaults(
  image: ImageDefinition,
  document: SourceDocument,
  entries: readonly FileEntry[],
): readonly Fault[] {
  const folder = `images/${image.name}/`;
  const missing = namedPaths(image).flatMap(({ path, at, mayBeFolder = false }) => {
    const wanted = `${folder}${path}`;
    const isThere = entries.some((one) => one.path === wanted && one.kind !== 'other');
    const prefix = wanted.endsWith('/') ? wanted : `${wanted}/`;
    if (isThere || (mayBeFolder && entries.some((one) => one.path.startsWith(prefix)))) return [];
    const message = `Cannot use ${formatPath(at)}: there is no file ${wanted}`;
    const hint = 'Commit the file, or correct the path';
    return [definitionFault('FILE_MISSING', message, { location: document.locate(at), hint })];
  });
  return [...missing, ...overlayUnfit(image, document, entries)];
}

function namedPaths({ source, run }: ImageDefinition): readonly Named[] {
  const scripts = run.flatMap((step, index) =>
    step.kind === 'script' ? [{ path: step.path, at: ['run', index, 'script'] }] : [],
  );
  switch (source.kind) {
    case 'files':
      return source.files.flatMap(({ role, origin }) =>
        origin.kind === 'path' ? [{ path: origin.path, at: rolePath(source, role) }] : [],
      );
    case 'iso':
      return source.image.kind === 'path' ? [{ path: source.image.path, at: ['source', 'iso', 'image'] }] : [];
    case 'command':
      return source.inputs.flatMap((origin, index) =>
        origin.kind === 'path'
          ? [{ path: origin.path, at: ['source', 'command', 'inputs', index], mayBeFolder: origin.path.endsWith('/') }]
          : [],
      );
    case 'directory': {
      const isOwn = !source.path.startsWith('/');
      const own = isOwn ? [{ path: source.path, at: ['source', 'directory', 'path'], mayBeFolder: true }] : [];
      return [...own, ...scripts];
    }
    case 'debian':
    case 'oci':
      return scripts;
    default:
      return source satisfies never;
  }
}

function overlayUnfit(
  { name, source }: ImageDefinition,
  document: SourceDocument,
  entries: readonly FileEntry[],
): readonly Fault[] {
  const hasOverlay = entries.some(({ path }) => path.startsWith(`images/${name}/overlay/`));
  if (isTree(source) || !hasOverlay) return [];
  const message = `Cannot use images/${name}/overlay: a source of the kind ${source.kind} gives files as they are`;
  const hint = 'Remove overlay/, or take the root filesystem from debian, oci or directory';
  return [definitionFault('OVERLAY_UNFIT', message, { location: document.locate(['source']), hint })];
}

/** What is wrong with the templates of an overlay: values that nobody declared. */
export async function overlayTemplateFaults(
  files: DefinitionFiles,
  { name, values }: ImageDefinition,
  entries: readonly FileEntry[],
): Promise<readonly Fault[]> {
  const paths = new Set(entries.map(({ path }) => path));
  const templates = entries.filter(
    ({ path, kind }) => kind !== 'other' && path.startsWith(`images/${name}/overlay/`) && path.endsWith(templateEnding),
  );
  const faults: Fault[] = [];
  for (const { path } of templates) {
    try {
      const text = (await files.read(path, templateLimitBytes)).toString('utf8');
      faults.push(...templateFaults(path, text, values));
      if (paths.has(path.slice(0, -templateEnding.length))) faults.push(twice(path));
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      const location = { file: path, line: 1, column: 1 };
      faults.push(definitionFault(error.code, error.message, { location, hint: 'Templates are small texts' }));
    }
  }
  return faults;
}

function twice(path: string): Fault {
  const message = `Cannot use ${path}: there is a file of the name that it becomes, too`;
  const location = { file: path, line: 1, column: 1 };
  return definitionFault('NAME_DUPLICATE', message, { location, hint: 'Remove one of the two' });
}
