import type { Fault } from '#bundle/fault.ts';
import type { SourceDocument } from './document.ts';
import { definitionFault } from './faults.ts';
import { type ImageDefinition, isTree } from './image.ts';
import type { ImageFile } from './image-schema.ts';
import { formatPath } from './schema.ts';
import { suggestion } from './suggestion.ts';

/** The optional sections of `image.yaml`, each named after its method. */
const sections = ['kexec', 'switch-root', 'qemu', 'exec'] as const;

/** What is wrong with the section of the method, and that there is no section of another one. */
export function startFaults(written: ImageFile, image: ImageDefinition, document: SourceDocument): readonly Fault[] {
  return [
    ...sectionFaults(written, document),
    ...variableFaults(written, document),
    ...diskFaults(written, image, document),
  ];
}

function sectionFaults(written: ImageFile, document: SourceDocument): readonly Fault[] {
  const { method } = written;
  const foreign = sections.filter((name) => name !== method && written[name] !== undefined);
  return foreign.map((name) =>
    definitionFault('SECTION_UNFIT', `Cannot use ${name}: the method is ${method}`, {
      location: document.locateKey([], name),
      hint: `Remove ${name}, or write method: ${name}`,
    }),
  );
}

/** POSIX, base definitions 8.1: the names that every shell takes. */
function variableFaults({ exec }: ImageFile, document: SourceDocument): readonly Fault[] {
  const names = Object.keys(exec?.environment ?? {}).filter((name) => !/^[A-Za-z_][A-Za-z0-9_]{0,99}$/.test(name));
  return names.map((name) => {
    const message = `Cannot use exec.environment: ${JSON.stringify(name)} is no name of a variable`;
    const hint = 'Write letters, digits and underscores, with no digit first';
    return definitionFault('VALUE_INVALID', message, {
      location: document.locateKey(['exec', 'environment'], name),
      hint,
    });
  });
}

/** `qemu.disks` must be about all disk files, each once. */
function diskFaults({ qemu }: ImageFile, { source }: ImageDefinition, document: SourceDocument): readonly Fault[] {
  if (!qemu?.disks || isTree(source)) return [];
  const known = source.files.filter(({ role }) => role === 'disk').map(({ name }) => name);
  const named = qemu.disks.map(({ file }) => file);
  const unknown = named.flatMap((name, index) => {
    const isFirst = named.indexOf(name) === index;
    if (known.includes(name) && isFirst) return [];
    return [diskFault({ name, known, isFirst, path: ['qemu', 'disks', index, 'file'] }, document)];
  });
  const forgotten = known
    .filter((name) => !named.includes(name))
    .map((name) => {
      const message = `Cannot use qemu.disks: the file ${name} is none of them`;
      const hint = `Add { file: ${name} }, or remove it from source.files.disk`;
      return definitionFault('DISK_UNUSED', message, { location: document.locateKey(['qemu'], 'disks'), hint });
    });
  return [...unknown, ...forgotten];
}

interface WrongDisk {
  readonly name: string;
  readonly known: readonly string[];
  readonly isFirst: boolean;
  readonly path: readonly (string | number)[];
}

function diskFault({ name, known, isFirst, path }: WrongDisk, document: SourceDocument): Fault {
  const location = document.locate(path);
  const what = `Cannot use ${formatPath(path)}: ${JSON.stringify(name)}`;
  if (known.includes(name) && !isFirst) {
    const hint = 'Name each file once';
    return definitionFault('NAME_DUPLICATE', `${what} is another disk already`, { location, hint });
  }
  const meant = suggestion(name, known);
  const expected = known.length > 0 ? `expected one of ${known.join(', ')}` : 'source.files has no disk';
  const hint = meant === undefined ? 'Write the last part of the path of a disk in source.files' : `Write ${meant}`;
  return definitionFault('FILE_UNKNOWN', `${what}, ${expected}`, { location, hint });
}
