import type { ExecStart, QemuDisk, QemuStart, Start } from '#bundle/start.ts';
import type { SourceFileDefinition } from './image.ts';
import type { ImageFile } from './image-schema.ts';
import { parseDuration, parseSize } from './units.ts';

const mebibyte = 1024 * 1024;

/** How an image is started, defaults filled in. @param files those of the image's bundle that are known by name */
export function startOf(file: ImageFile, files: readonly SourceFileDefinition[]): Start {
  const { method } = file;
  switch (method) {
    case 'kexec':
      return { method, unbind: file.kexec?.unbind ?? [] };
    case 'switch-root': {
      const { modules = 'all', overlay } = file['switch-root'] ?? {};
      return { method, modules, ...(overlay !== undefined && { overlayBytes: bytes(overlay) }) };
    }
    case 'qemu':
      return qemuOf(file.qemu ?? {}, files);
    case 'exec':
      return execOf(file.exec ?? { command: [] });
    case 'chain':
    case 'local':
      return { method };
    default:
      return method satisfies never;
  }
}

function qemuOf(written: NonNullable<ImageFile['qemu']>, files: readonly SourceFileDefinition[]): QemuStart {
  const { firmware = 'bios', cpu = 'max', cpus = 1, memory = '512M', restart = 'never' } = written;
  const { display = 'serial', network = 'user' } = written;
  const nameOf = (role: SourceFileDefinition['role']) => files.find((one) => one.role === role)?.name;
  const [cdrom, floppy] = [nameOf('cdrom'), nameOf('floppy')];
  const disks = written.disks ?? files.filter(({ role }) => role === 'disk').map(({ name }) => ({ file: name }));
  return {
    method: 'qemu',
    firmware,
    cpu,
    cpus,
    memoryBytes: bytes(memory),
    display,
    network,
    disks: disks.map(diskOf),
    ...(cdrom !== undefined && { cdrom }),
    ...(floppy !== undefined && { floppy }),
    arguments: written.arguments ?? [],
    restart,
  };
}

function diskOf({ file, format, interface: bus = 'virtio' }: Partial<QemuDisk> & { readonly file: string }): QemuDisk {
  return { file, format: format ?? (file.endsWith('.qcow2') ? 'qcow2' : 'raw'), interface: bus };
}

function execOf({ command, environment = {}, modules = 'all', ...rest }: NonNullable<ImageFile['exec']>): ExecStart {
  return { method: 'exec', modules, command, environment, afterwards: rest.then ?? 'stay' };
}

/** RAM that a running system asks for: nothing where the machine that runs it is a virtual one, or not ours. */
export function systemBytesOf({ method, memory }: ImageFile): number {
  if (memory !== undefined) return bytes(memory);
  return method === 'qemu' || method === 'chain' || method === 'local' ? 0 : 96 * mebibyte;
}

/** How long a heartbeat is waited for; undefined where none is expected. */
export function heartbeatOf({ expect }: ImageFile): number | undefined {
  if (expect === undefined) return undefined;
  return parseDuration(expect === 'heartbeat' ? '5m' : expect.heartbeat);
}

function bytes(written: string): number {
  return parseSize(written) ?? 0;
}
