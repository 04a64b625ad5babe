import { Fault } from '#bundle/fault.ts';
import { definitionFault, sortFaults } from './faults.ts';
import type { DefinitionFiles, FileEntry } from './files.ts';
import { folderFaults, overlayTemplateFaults } from './folder-faults.ts';
import type { ImageDefinition } from './image.ts';
import { kernelOnlyParameters } from './kernel-parameters.ts';
import { readImage } from './read-image.ts';
import { type Read, readSite } from './read-site.ts';
import type { Site } from './site.ts';
import type { SiteOverlay } from './site-overlay.ts';
import { namePattern } from './site-schema.ts';
import { suggestion } from './suggestion.ts';

/** Everything that a commit says. */
export interface Definitions {
  readonly site: Site;
  /** Sorted by name. */
  readonly images: readonly ImageDefinition[];
}

export interface ReadDefinitions {
  /** Absent when there is any fault: a commit counts as a whole or not at all. */
  readonly definitions?: Definitions;
  /** All that is wrong, sorted by place. */
  readonly faults: readonly Fault[];
  /** What is probably not meant, but does no harm. */
  readonly warnings: readonly Fault[];
}

export const siteFileName = 'boot.config.yaml';
/** At most so many bytes of overlay are laid over one image: it is for configuration, not for payload. */
export const overlayLimitBytes = 64 * 1024 * 1024;

const fileLimitBytes = 1024 * 1024;

/** Reads `boot.config.yaml` and every `images/<name>/image.yaml`, and checks them against each other. */
export async function readDefinitions(files: DefinitionFiles, overlay?: SiteOverlay): Promise<ReadDefinitions> {
  const entries = await files.list('images/');
  const folders = foldersOf(entries);
  const site = await readSiteFile(files, overlay);
  const images = await Promise.all(folders.map((name) => readImageFile(files, name, entries)));
  const faults = sortFaults([
    ...site.faults,
    ...images.flatMap((image) => image.faults),
    ...entryFaults(entries, folders),
    ...referenceFaults(site, folders),
    ...secretKeyFaults(await files.findSecretKeys()),
  ]);
  const warnings = sortFaults(images.flatMap((image) => [...parameterWarnings(image), ...cmdlineWarnings(image)]));
  if (faults.length > 0 || !site.value) return { faults, warnings };
  const values = images.flatMap((image) => (image.value ? [image.value] : []));
  return { definitions: { site: site.value, images: values }, faults, warnings };
}

/** The folders of `images/`, sorted. A file directly in `images/` is none. */
function foldersOf(entries: readonly FileEntry[]): readonly string[] {
  const names = entries.flatMap(({ path }) => {
    const [, name, ...rest] = path.split('/');
    return name !== undefined && rest.length > 0 ? [name] : [];
  });
  return [...new Set(names)].toSorted();
}

async function readSiteFile(files: DefinitionFiles, overlay: SiteOverlay | undefined): Promise<Read<Site>> {
  const text = await readText(files, siteFileName, 'A site begins with this file: see boot.config.yaml in the README');
  return text instanceof Fault ? { faults: [text] } : readSite(siteFileName, text, overlay);
}

async function readImageFile(
  files: DefinitionFiles,
  name: string,
  entries: readonly FileEntry[],
): Promise<Read<ImageDefinition>> {
  const file = `images/${name}/image.yaml`;
  const text = await readText(files, file, 'Each folder of images/ is one image: add the file or remove the folder');
  if (text instanceof Fault) return { faults: [text] };
  const read = readImage(file, { name, text });
  if (!read.value) return read;
  const faults = [
    ...folderFaults(read.value, read.document, entries),
    ...(await overlayTemplateFaults(files, read.value, entries)),
  ];
  return faults.length > 0 ? { document: read.document, faults } : read;
}

async function readText(files: DefinitionFiles, file: string, hint: string): Promise<string | Fault> {
  try {
    return (await files.read(file, fileLimitBytes)).toString('utf8');
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    return definitionFault(error.code, error.message, { location: { file, line: 1, column: 1 }, hint });
  }
}

function entryFaults(entries: readonly FileEntry[], folders: readonly string[]): readonly Fault[] {
  const inFolders = entries.filter(({ path }) => path.split('/').length > 2);
  const links = inFolders.filter(({ kind }) => kind === 'other').map(({ path }) => linkFault(path));
  const names = folders.filter((name) => !new RegExp(namePattern).test(name)).map(folderFault);
  const large = folders.flatMap((name) => {
    const overlay = inFolders.filter(({ path }) => path.startsWith(`images/${name}/overlay/`));
    const sizeBytes = overlay.reduce((sum, entry) => sum + entry.sizeBytes, 0);
    return sizeBytes > overlayLimitBytes ? [overlayFault(name, sizeBytes)] : [];
  });
  const long = inFolders.filter(({ path }) => isTooLong(path)).slice(0, 10);
  return [...links, ...names, ...large, ...long.map(({ path }) => lengthFault(path))];
}

/** Linux takes names of 255 bytes and paths of 4096 (limits.h), of which the builder's own folders need some. */
function isTooLong(path: string): boolean {
  return Buffer.byteLength(path) > 2048 || path.split('/').some((name) => Buffer.byteLength(name) > 255);
}

function lengthFault(path: string): Fault {
  const shown = `${path.slice(0, 60)}…`;
  return definitionFault('PATH_TOO_LONG', `Cannot use ${shown}: a path may have 2048 bytes, and each name in it 255`, {
    location: { file: shown, line: 1, column: 1 },
    hint: 'Give the file or its folders shorter names',
  });
}

function linkFault(path: string): Fault {
  return definitionFault('SYMLINK_REFUSED', `Cannot use ${path}: it is no regular file`, {
    location: { file: path, line: 1, column: 1 },
    hint: 'Put a regular file there: definitions are read without being checked out, so nothing can follow a link',
  });
}

function folderFault(name: string): Fault {
  const message = `Cannot use images/${name}: expected a name of lower-case letters, digits and hyphens, at most 63`;
  const location = { file: `images/${name}/image.yaml`, line: 1, column: 1 };
  return definitionFault('NAME_INVALID', message, { location, hint: 'Rename the folder' });
}

function overlayFault(name: string, sizeBytes: number): Fault {
  const message = `Cannot use images/${name}/overlay: ${sizeBytes} bytes, expected at most ${overlayLimitBytes}`;
  const location = { file: `images/${name}/overlay`, line: 1, column: 1 };
  return definitionFault('OVERLAY_TOO_LARGE', message, { location, hint: 'Put large files into a package' });
}

/** Images that the site names but nobody defines. A folder whose image.yaml is broken counts as defined. */
function referenceFaults({ document, value, faults }: Read<Site>, folders: readonly string[]): readonly Fault[] {
  if (!document || (!value && faults.some((fault) => fault.code === 'YAML_INVALID'))) return [];
  const written = document.value as { menu?: { default?: unknown }; groups?: unknown } | null;
  const groups = Array.isArray(written?.groups) ? (written.groups as WrittenGroup[]) : [];
  const references = [{ path: ['menu', 'default'], name: written?.menu?.default }, ...groups.flatMap(groupReferences)];
  return references.flatMap(({ path, name }) => {
    if (typeof name !== 'string' || folders.includes(name)) return [];
    const meant = suggestion(name, folders);
    const expected = folders.length > 0 ? `expected one of ${folders.slice(0, 20).join(', ')}` : 'images/ is empty';
    const message = `Cannot find image ${JSON.stringify(name)}: ${expected}`;
    const hint = meant === undefined ? `Add images/${name}/image.yaml, or name another image` : `Write ${meant}`;
    return [definitionFault('IMAGE_UNKNOWN', message, { location: document.locate(path), hint })];
  });
}

type WrittenGroup = { image?: unknown; images?: unknown } | null;

function groupReferences(group: WrittenGroup, index: number) {
  const offered = Array.isArray(group?.images) ? group.images : [];
  return [
    { path: ['groups', index, 'image'], name: group?.image },
    ...offered.map((name: unknown, at) => ({ path: ['groups', index, 'images', at], name })),
  ];
}

function secretKeyFaults(found: readonly { readonly file: string; readonly line: number }[]): readonly Fault[] {
  return found.map(({ file, line }) =>
    definitionFault('SECRET_KEY_COMMITTED', 'Cannot use this commit: it holds a minisign secret key', {
      location: { file, line, column: 1 },
      hint: 'Who can read the repository can sign now: make a new key with "boottorrent keygen", and trust only that one',
    }),
  );
}

function parameterWarnings({ value, document }: Read<ImageDefinition>): readonly Fault[] {
  if (!value || !document || value.start.method !== 'switch-root') return [];
  return kernelOnlyParameters(value.cmdline).map((parameter) =>
    definitionFault('KERNEL_PARAMETER_IGNORED', `Parameter ${parameter} has no effect: the kernel runs already`, {
      location: document.locate(['cmdline']),
      hint: 'With switch-root, kernel parameters belong into bootstrap.cmdline or into the cmdline of a group',
    }),
  );
}

function cmdlineWarnings({ value, document }: Read<ImageDefinition>): readonly Fault[] {
  const { method } = value?.start ?? {};
  if (!value || !document || value.cmdline === '' || (method !== 'qemu' && method !== 'local')) return [];
  return [
    definitionFault('CMDLINE_IGNORED', `The command line has no effect: ${method} hands none over`, {
      location: document.locate(['cmdline']),
      hint: method === 'qemu' ? 'Write -append and the text in qemu.arguments' : 'Remove cmdline',
    }),
  ];
}
