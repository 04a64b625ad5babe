import { Fault } from './fault.ts';
import type { RecordReader } from './record.ts';

export const methods = ['kexec', 'switch-root', 'qemu', 'exec', 'chain', 'local'] as const;
/** How a node starts an image. */
export type Method = (typeof methods)[number];

export const moduleSets = ['all', 'core', 'none'] as const;
/**
 * Which modules of the bootstrap's kernel an image gets: `all`; `core` without those that a machine in a rack has no
 * device for (sound, video capture, wireless and the like); `none`: only what the initramfs has loaded.
 */
export type ModuleSet = (typeof moduleSets)[number];

/** A new kernel by kexec. `unbind`: drivers (`nouveau`) whose devices are let go before, since they hang the next kernel. */
export interface KexecStart {
  readonly method: 'kexec';
  readonly unbind: readonly string[];
}

/** The root filesystem on the running kernel. `overlayBytes`: how much it may write (RAM); absent: half of the RAM. */
export interface SwitchRootStart {
  readonly method: 'switch-root';
  readonly modules: ModuleSet;
  readonly overlayBytes?: number;
}

export const diskInterfaces = ['virtio', 'ide', 'scsi', 'nvme'] as const;
/** A disk of the virtual machine: a file of the bundle with role `disk`, written to a layer in RAM only. */
export interface QemuDisk {
  readonly file: string;
  readonly format: 'raw' | 'qcow2';
  readonly interface: (typeof diskInterfaces)[number];
}

export const qemuFirmwares = ['bios', 'uefi'] as const;
export const qemuDisplays = ['serial', 'vga'] as const;
export const qemuNetworks = ['user', 'bridge', 'none'] as const;
export const qemuRestarts = ['never', 'on-failure', 'always'] as const;
/**
 * A virtual machine. `display`: `serial` puts its serial console on the node's console; `vga` its screen on VNC, port
 * 5900 of the node. `network`: `user` (behind the node's address), `bridge` (a machine of its own in the node's LAN), `none`.
 */
export interface QemuStart {
  readonly method: 'qemu';
  readonly firmware: (typeof qemuFirmwares)[number];
  readonly cpu: string;
  readonly cpus: number;
  readonly memoryBytes: number;
  readonly display: (typeof qemuDisplays)[number];
  readonly network: (typeof qemuNetworks)[number];
  readonly disks: readonly QemuDisk[];
  /** Names of files of the bundle. */
  readonly cdrom?: string;
  readonly floppy?: string;
  /** QEMU's own arguments, appended as they are, one string an argument. */
  readonly arguments: readonly string[];
  /** What happens when the virtual machine ends. */
  readonly restart: (typeof qemuRestarts)[number];
}

export const execEnds = ['stay', 'reboot', 'poweroff'] as const;
/** A program in the bundle's root filesystem. */
export interface ExecStart {
  readonly method: 'exec';
  readonly modules: ModuleSet;
  /** The program and its arguments. */
  readonly command: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  /** What the node does when the program has ended. */
  readonly afterwards: (typeof execEnds)[number];
}

/** Hand over to another network boot program (the bundle's file with role `nbp`): done by the next boot script. */
export interface ChainStart {
  readonly method: 'chain';
}

/** Boot the local disk: done by the next boot script. */
export interface LocalStart {
  readonly method: 'local';
}

/** Everything about starting an image that is not in its files: it is in the signed catalog, and changing it builds nothing. */
export type Start = KexecStart | SwitchRootStart | QemuStart | ExecStart | ChainStart | LocalStart;

/** @throws the reader's fault */
export function parseStart(record: RecordReader): Start {
  const method = record.oneOf('method', methods);
  switch (method) {
    case 'kexec':
      return { method, unbind: record.strings('unbind', 50) };
    case 'switch-root': {
      const overlayBytes = record.optionalInteger('overlayBytes');
      const modules = record.oneOf('modules', moduleSets);
      return { method, modules, ...(overlayBytes !== undefined && { overlayBytes }) };
    }
    case 'qemu':
      return parseQemu(record);
    case 'exec':
      return parseExec(record);
    case 'chain':
    case 'local':
      return { method };
    default:
      return method satisfies never;
  }
}

function parseQemu(record: RecordReader): QemuStart {
  const cdrom = record.optionalString('cdrom', 200);
  const floppy = record.optionalString('floppy', 200);
  return {
    method: 'qemu',
    firmware: record.oneOf('firmware', qemuFirmwares),
    cpu: record.string('cpu', 200),
    cpus: record.integer('cpus', { min: 1, max: 1024 }),
    memoryBytes: record.integer('memoryBytes', { min: 1 }),
    display: record.oneOf('display', qemuDisplays),
    network: record.oneOf('network', qemuNetworks),
    disks: record.list('disks', 26).map((disk) => ({
      file: disk.string('file', 200),
      format: disk.oneOf('format', ['raw', 'qcow2']),
      interface: disk.oneOf('interface', diskInterfaces),
    })),
    ...(cdrom !== undefined && { cdrom }),
    ...(floppy !== undefined && { floppy }),
    arguments: record.strings('arguments', 200),
    restart: record.oneOf('restart', qemuRestarts),
  };
}

function parseExec(record: RecordReader): ExecStart {
  const environment = record.record('environment');
  const names = environment.keys();
  const command = record.strings('command', 200);
  if (command.length === 0 || names.length > 200) {
    throw new Fault('CATALOG_INVALID', 'Cannot read the catalog: exec needs a command and at most 200 variables');
  }
  return {
    method: 'exec',
    modules: record.oneOf('modules', moduleSets),
    command,
    environment: Object.fromEntries(names.map((name) => [name, environment.string(name)])),
    afterwards: record.oneOf('afterwards', execEnds),
  };
}

/** A bundle that belongs to the bootstrap and that only some images need; each goes through the swarm by itself. */
export const partNames = ['modules', 'modules-extra', 'qemu'] as const;
export type PartName = (typeof partNames)[number];

/** Which parts a node downloads together with an image. */
export function partsOf(start: Start): readonly PartName[] {
  if (start.method === 'qemu') return ['qemu'];
  if (start.method !== 'switch-root' && start.method !== 'exec') return [];
  return start.modules === 'all' ? ['modules', 'modules-extra'] : start.modules === 'core' ? ['modules'] : [];
}

/** Whether the next boot script carries it out, and not the agent. */
export function isByScript(start: Start): boolean {
  return start.method === 'chain' || start.method === 'local';
}
