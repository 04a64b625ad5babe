import { readdir, realpath } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { Kernel } from '#pipeline/source/kernel.ts';
import type { LogLine } from '#pipeline/source/source.ts';
import { makeSquashfs } from '#pipeline/source/squashfs.ts';
import type { ToolRoot } from '#pipeline/source/tool-root.ts';
import { libraryPlaces } from './contents.ts';
import { makeModuleTree } from './module-tree.ts';
import { copy, copyPrograms } from './programs.ts';

/** What apt is asked for; only what {@link isUnpackedForQemu} names of the answer is used. */
export const qemuPackages = ['qemu-system-x86', 'seabios', 'ovmf', 'ipxe-qemu'] as const;

export function isUnpackedForQemu(name: string): boolean {
  return /^(lib(?!.*-(data|common|bin|db|modules|dev)$)|zlib1g$|qemu-system-(x86|common|data)$|seabios$|ovmf$|ipxe-qemu$)/.test(
    name,
  );
}

const program = 'usr/bin/qemu-system-x86_64';

/** A disassembler, for QEMU's debug log only: 9 MB of RAM. */
const stubs = ['libcapstone.so.5'] as const;

/** Of QEMU's own modules, those that a virtual machine on a node may ask for. */
const qemuModules = ['hw-display-virtio-gpu.so', 'hw-display-virtio-gpu-pci.so', 'hw-display-virtio-vga.so'] as const;

/** Firmware of the machine and of its devices, by package folder. Of QEMU's own, what is for other processors is not here. */
const firmware: Readonly<Record<string, RegExp>> = {
  'usr/share/seabios': /^(bios-256k|bios-microvm|vgabios-.*)\.bin$/,
  'usr/share/qemu': /^(kvmvapic|linuxboot|linuxboot_dma|multiboot|multiboot_dma|pvh)\.bin$|^efi-.*\.rom$/,
  'usr/lib/ipxe/qemu': /^(pxe|efi)-.*\.rom$/,
};
const uefi = ['OVMF_CODE_4M.fd', 'OVMF_VARS_4M.fd'] as const;

/** Modules of the bootstrap's kernel: KVM, and a network of the machine's own. */
const modules = ['kvm', 'kvm-intel', 'kvm-amd', 'tun', 'bridge', 'vhost_net', 'vhost_vsock'] as const;

/** What the part is made of, for the digest of its inputs. */
export const qemuContents = [
  stubs,
  qemuModules,
  modules,
  uefi,
  Object.entries(firmware).map(([folder, names]) => `${folder} ${names}`),
] as const;

export interface QemuPartOptions {
  /** Where {@link qemuPackages} are unpacked. */
  readonly packagesPath: string;
  readonly kernel: Kernel;
  readonly epoch: number;
  readonly toolRoot: ToolRoot;
  /** An existing directory: the tree is made in it, and the result. */
  readonly workPath: string;
  readonly log?: LogLine;
  readonly signal?: AbortSignal;
}

/**
 * Makes `qemu.squashfs` and returns its path: `bin/qemu-system-x86_64`, `lib` with libraries, the loader as `lib/ld.so`,
 * QEMU's modules in `lib/qemu`, `share/qemu` for its option `-L`, `share/OVMF`, and kernel modules in `lib/modules`.
 * For amd64 only.
 */
export async function makeQemuPart(options: QemuPartOptions): Promise<string> {
  const { packagesPath, workPath, toolRoot, epoch, log, signal } = options;
  const tree = join(workPath, 'qemu-tree');
  const { folder, loader } = libraryPlaces.amd64;
  const extra = qemuModules.map((name) => join(folder, 'qemu', name));
  await copyPrograms([program], tree, { packagesPath, arch: 'amd64', stubs });
  await copy(join(tree, 'lib', basename(loader)), join(tree, 'lib/ld.so'), 0o755);
  for (const path of extra) await copy(join(packagesPath, path), join(tree, 'lib/qemu', basename(path)), 0o644);
  await copyFirmware(packagesPath, tree);
  await makeModuleTree(tree, modules, options);
  const out = join(workPath, 'qemu.squashfs');
  // By xz it is 7 % smaller, but QEMU is read from it page by page for as long as it runs.
  const packing = { compression: 'zstd', level: 19, blockBytes: 1024 * 1024, epoch, isRootOwned: true } as const;
  await makeSquashfs(toolRoot, tree, out, { ...packing, ...(log && { log }), ...(signal && { signal }) });
  return out;
}

async function copyFirmware(packagesPath: string, tree: string): Promise<void> {
  for (const [folder, wanted] of Object.entries(firmware)) {
    for (const name of (await readdir(join(packagesPath, folder)).catch(() => [])).filter((one) => wanted.test(one))) {
      // Some are links to a file of another package.
      await copy(await realpath(join(packagesPath, folder, name)), join(tree, 'share/qemu', name), 0o644);
    }
  }
  const keymaps = join(packagesPath, 'usr/share/qemu/keymaps');
  for (const name of await readdir(keymaps))
    await copy(join(keymaps, name), join(tree, 'share/qemu/keymaps', name), 0o644);
  for (const name of uefi)
    await copy(join(packagesPath, 'usr/share/OVMF', name), join(tree, 'share/OVMF', name), 0o644);
}
