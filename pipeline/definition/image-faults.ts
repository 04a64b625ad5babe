import type { Fault } from '#bundle/fault.ts';
import { type Method, methods } from '#bundle/start.ts';
import type { SourceDocument } from './document.ts';
import { definitionFault } from './faults.ts';
import { type ImageDefinition, isTree, type SourceRole } from './image.ts';
import type { ImageFile } from './image-schema.ts';
import { rolePath } from './read-source.ts';
import { formatPath } from './schema.ts';
import { cmdlineForm } from './site-schema.ts';
import { startFaults } from './start-faults.ts';
import { expandTemplate } from './template.ts';

/** What a checked `image.yaml` still may have wrong: parts of it that do not fit each other. */
export function imageFaults(written: ImageFile, image: ImageDefinition, document: SourceDocument): readonly Fault[] {
  return [
    ...sourceFaults(written, image, document),
    ...nameFaults(image, document),
    ...treeFaults(written, image, document),
    ...cmdlineFaults(written, image, document),
    ...startFaults(written, image, document),
    ...expectFaults(written, image, document),
  ];
}

/**
 * Keys that a method needs: told together with what is wrong by the schema, which cannot say that `local` has no source.
 */
export function missingKeys(document: SourceDocument): readonly Fault[] {
  const written = document.value as { readonly method?: unknown; readonly source?: unknown; readonly exec?: unknown };
  const method = methods.find((one) => one === written?.method);
  if (method === undefined || method === 'local') return [];
  const missing = (key: string, reason: string, hint: string): Fault =>
    definitionFault('KEY_MISSING', `Cannot use the file: ${key} is missing, ${reason}`, {
      location: document.locate([]),
      hint,
    });
  return [
    ...(written.source === undefined
      ? [missing('source', `${method} needs ${needs[method].wanted}`, 'Add source')]
      : []),
    ...(method === 'exec' && written.exec === undefined
      ? [missing('exec', 'which says what is run', 'Add exec: { command: [program, argument] }')]
      : []),
  ];
}

interface Need {
  /** Whether a root filesystem as a tree will do: debian, oci and directory. */
  readonly tree: boolean;
  /** Of files by role (`files`, `iso`, `command`): how many of which. Others are not allowed. */
  readonly files: Partial<Record<SourceRole, { readonly least: number; readonly most: number }>>;
  readonly wanted: string;
  readonly hint: string;
}

const none = { least: 0, most: 26 };
const some = { least: 1, most: 26 };
const one = { least: 1, most: 1 };

/** What each method starts. */
const needs: Readonly<Record<Exclude<Method, 'local'>, Need>> = {
  kexec: {
    tree: true,
    files: { kernel: one, initrd: some },
    wanted: 'debian, oci, directory, or files: { kernel: …, initrd: … } and nothing else',
    hint: 'Name a kernel and an initrd',
  },
  'switch-root': {
    tree: true,
    files: { rootfs: some },
    wanted: 'debian, oci, directory, or files: { rootfs: … } and nothing else',
    hint: 'Name a squashfs as rootfs',
  },
  exec: {
    tree: true,
    files: { rootfs: some },
    wanted: 'debian, oci, directory, or files: { rootfs: … } and nothing else',
    hint: 'Name a squashfs as rootfs',
  },
  qemu: {
    tree: false,
    files: { disk: none, cdrom: none, floppy: none, file: none },
    wanted: 'files: { disk: … }, cdrom, floppy or file, and nothing else',
    hint: 'Name what the virtual machine starts from',
  },
  chain: {
    tree: false,
    files: { nbp: { least: 1, most: 2 } },
    wanted: 'files: { nbp: … } and nothing else',
    hint: 'Name a network boot program, or one for BIOS and one whose name ends in .efi',
  },
};

function sourceFaults(
  { method, source }: ImageFile,
  image: ImageDefinition,
  document: SourceDocument,
): readonly Fault[] {
  const location = document.locateKey([], 'source');
  if (method === 'local') {
    const hint = 'Remove source: local starts what is on the disk of the node';
    return source ? [definitionFault('SOURCE_UNFIT', 'Cannot use source: local needs none', { location, hint })] : [];
  }
  if (!source) return [];
  const { wanted, ...need } = needs[method];
  if (fits(image, need)) return nbpFaults(image, document);
  return [
    definitionFault('SOURCE_UNFIT', `Cannot use source: ${method} needs ${wanted}`, { location, hint: need.hint }),
  ];
}

function fits({ source }: ImageDefinition, need: Omit<Need, 'wanted'>): boolean {
  if (isTree(source)) return need.tree;
  const isAllowed = source.files.every(({ role }) => need.files[role]);
  const isEnough = Object.entries(need.files).every(([role, { least, most }]) => {
    const count = source.files.filter((file) => file.role === role).length;
    return count >= least && count <= most;
  });
  return source.files.length > 0 && isAllowed && isEnough;
}

/** At most one network boot program for each kind of firmware. */
function nbpFaults({ source }: ImageDefinition, document: SourceDocument): readonly Fault[] {
  if (isTree(source)) return [];
  const names = source.files.filter(({ role }) => role === 'nbp').map(({ name }) => name);
  if (names.length < 2 || names.filter((name) => name.endsWith('.efi')).length === 1) return [];
  const path = rolePath(source, 'nbp');
  const message = `Cannot use ${formatPath(path)}: ${names.join(' and ')} are for the same firmware`;
  const hint = 'Name one for BIOS, and one for UEFI whose name ends in .efi';
  return [definitionFault('NBP_AMBIGUOUS', message, { location: document.locate(path), hint })];
}

function nameFaults({ source }: ImageDefinition, document: SourceDocument): readonly Fault[] {
  if (isTree(source)) return [];
  const names = source.files.map((file) => file.name);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice === undefined) return [];
  const message = `Cannot use source.${source.kind}: two of the files are called ${JSON.stringify(twice)}`;
  return [definitionFault('NAME_DUPLICATE', message, { location: document.locate(['source', source.kind]) })];
}

/** `run` changes a tree, and only a tree that is started by kexec has a kernel to be looked for. */
function treeFaults(
  { method, run, source }: ImageFile,
  image: ImageDefinition,
  document: SourceDocument,
): readonly Fault[] {
  const faults: Fault[] = [];
  if (run !== undefined && !isTree(image.source)) {
    const message = `Cannot use run: a source of the kind ${image.source.kind} gives files as they are`;
    const hint = 'Remove run, or take the root filesystem from debian, oci or directory';
    faults.push(definitionFault('RUN_UNFIT', message, { location: document.locateKey([], 'run'), hint }));
  }
  if (source?.oci?.kernel !== undefined && method !== 'kexec') {
    const message = `Cannot use source.oci.kernel: ${method} starts no kernel of the image`;
    const location = document.locateKey(['source', 'oci'], 'kernel');
    faults.push(definitionFault('KERNEL_UNFIT', message, { location, hint: 'Remove kernel, or write method: kexec' }));
  }
  return faults;
}

/** What values make of the command line must be one, too. */
function cmdlineFaults(
  { cmdline = '' }: ImageFile,
  image: ImageDefinition,
  document: SourceDocument,
): readonly Fault[] {
  const location = document.locate(['cmdline']);
  const problems = expandTemplate(cmdline, image.values).problems.map(({ message, hint }) =>
    definitionFault('TEMPLATE_INVALID', `Cannot use cmdline: ${message}`, { location, hint }),
  );
  if (problems.length > 0 || new RegExp(cmdlineForm.pattern).test(image.cmdline)) return problems;
  const message = `Cannot use cmdline: with its values it is ${JSON.stringify(image.cmdline.slice(0, 80))}, expected ${cmdlineForm.wanted}`;
  return [definitionFault('VALUE_INVALID', message, { location })];
}

/** A heartbeat needs a session that the OS can read; `memory` an OS that is ours to start. */
function expectFaults(
  { method, expect, memory }: ImageFile,
  { source }: ImageDefinition,
  document: SourceDocument,
): readonly Fault[] {
  const isForeign = method === 'chain' || method === 'local' || (method === 'kexec' && !isTree(source));
  const faults: Fault[] = [];
  if (expect !== undefined && isForeign) {
    const message = `Cannot use expect: what ${method} starts here cannot send a heartbeat`;
    const hint = 'Remove expect: only an OS that is told its boot session can report';
    faults.push(definitionFault('EXPECT_UNFIT', message, { location: document.locateKey([], 'expect'), hint }));
  }
  if (memory !== undefined && (method === 'qemu' || method === 'chain' || method === 'local')) {
    const message = `Cannot use memory: ${method} starts no system in the RAM of the bootstrap`;
    const hint = method === 'qemu' ? 'Write it as qemu.memory' : 'Remove memory';
    faults.push(definitionFault('MEMORY_UNFIT', message, { location: document.locateKey([], 'memory'), hint }));
  }
  return faults;
}
