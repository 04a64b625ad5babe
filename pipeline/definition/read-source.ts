import { parseDigest } from '#bundle/digest.ts';
import type {
  CommandSource,
  FileOrigin,
  FilesSource,
  ImageSource,
  IsoSource,
  RunStep,
  SourceFileDefinition,
  SourceRole,
} from './image.ts';
import type { ImageFile } from './image-schema.ts';
import type { FileReference, SourceFileKeys } from './source-schema.ts';
import { parseDuration } from './units.ts';

/** The keys of `source.files`, in the order in which a bundle's files are listed. */
export const sourceRoles = ['kernel', 'initrd', 'rootfs', 'disk', 'cdrom', 'floppy', 'nbp', 'file'] as const;

/** Roles whose order counts. A manifest is sorted by name, so that several such files carry their place in their names. */
const ordered: readonly SourceRole[] = ['initrd', 'rootfs'];

/** Where the files of an image come from; nowhere (no files) without a source. */
export function sourceOf({ source }: ImageFile): ImageSource {
  if (source?.debian) return { kind: 'debian', ...source.debian };
  if (source?.oci) return { kind: 'oci', ...source.oci };
  if (source?.directory) return { kind: 'directory', ...source.directory };
  if (source?.iso) return { kind: 'iso', image: originOf(source.iso.image), files: filesByRole(source.iso) };
  if (source?.command) return commandOf(source.command);
  return { kind: 'files', files: filesByRole(source?.files ?? {}) };
}

function commandOf(written: NonNullable<NonNullable<ImageFile['source']>['command']>): CommandSource {
  const { command, environment = {}, inputs = [], outputs, network = false, timeout = '1h' } = written;
  return {
    kind: 'command',
    command,
    environment,
    inputs: inputs.map(originOf),
    files: filesByRole(outputs),
    network,
    timeoutMs: parseDuration(timeout) ?? 0,
  };
}

function filesByRole(written: SourceFileKeys): readonly SourceFileDefinition[] {
  return sourceRoles.flatMap((role) => filesOf(role, listed(written[role])));
}

/** The steps of `run`. */
export function runOf({ run = [] }: ImageFile): readonly RunStep[] {
  return run.map((step) => {
    if (typeof step === 'string') return { kind: 'shell', text: step, network: false };
    const { network = false } = step;
    return 'script' in step
      ? { kind: 'script', path: step.script, network }
      : { kind: 'shell', text: step.shell, network };
  });
}

/** Where the files of a role are written in `image.yaml`. */
export function rolePath(source: FilesSource | IsoSource | CommandSource, role: SourceRole): readonly string[] {
  if (source.kind === 'command') return ['source', 'command', 'outputs', role];
  return ['source', source.kind, role];
}

/** What a file of a bundle is called when only a part of a path or an address is known: its last segment. */
function filesOf(role: SourceRole, references: readonly FileReference[]): readonly SourceFileDefinition[] {
  const files = references.map((one) => fileOf(role, one));
  if (files.length < 2 || !ordered.includes(role)) return files;
  return files.map((file, index) => ({ ...file, name: `${String(index).padStart(2, '0')}-${file.name}` }));
}

function listed(written: FileReference | readonly FileReference[] | undefined): readonly FileReference[] {
  if (written === undefined) return [];
  return Array.isArray(written) ? written : [written as FileReference];
}

function fileOf(role: SourceRole, reference: FileReference): SourceFileDefinition {
  const origin = originOf(reference);
  const path = origin.kind === 'url' ? new URL(origin.url).pathname : origin.path;
  const name = path.split('/').at(-1) ?? '';
  return { role, origin, name: /^[A-Za-z0-9][A-Za-z0-9._+-]{0,100}$/.test(name) ? name : role };
}

function originOf(reference: FileReference): FileOrigin {
  if (typeof reference === 'string') return { kind: 'path', path: reference };
  if ('url' in reference) return { kind: 'url', url: reference.url, sha256: parseDigest(reference.sha256) };
  return { kind: 'package', ...reference };
}
