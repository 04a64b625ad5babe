import type { Arch } from '#bundle/manifest.ts';

/** Everything that is in the bootstrap, as tables: what is not named here is not in it. */

export const suite = 'trixie';

/** What apt is asked for besides the kernel; only {@link isUnpacked} of the answer is used. */
export const packages = ['aria2', 'busybox-static', 'ipxe', 'kexec-tools', 'minisign', 'quickjs'] as const;

/** Whether files are taken out of a package; what only the packages' own scripts need is left alone. */
export function isUnpacked(name: string): boolean {
  return packages.some((one) => one === name) || libraryPackages.some((prefix) => name.startsWith(prefix));
}

/** Prefixes of the packages whose libraries the programs need; the build names a library that is missing. */
const libraryPackages = [
  'libaria2-',
  'libc6',
  'libcares',
  'libffi',
  'libgcc-s',
  'libgmp',
  'libgnutls',
  'libhogweed',
  'libidn2',
  'liblzma',
  'libnettle',
  'libp11-kit',
  'libsodium',
  'libsqlite3',
  'libssh2',
  'libssl',
  'libstdc++',
  'libtasn1',
  'libunistring',
  'libxen',
  'libxml2',
  'libzstd',
  'zlib1g',
] as const;

/** Programs and where they are in their packages. */
export const programs = [
  'usr/bin/busybox',
  'usr/bin/aria2c',
  'usr/bin/minisign',
  'usr/bin/qjs',
  'usr/sbin/kexec',
] as const;

/** Programs that go on in the running OS: copied to /run/boottorrent with their libraries. */
export const survivors = ['usr/bin/aria2c', 'usr/bin/busybox'] as const;

/** The dynamic loader and the folder of libraries. */
export const libraryPlaces: Readonly<Record<Arch, { readonly loader: string; readonly folder: string }>> = {
  amd64: { loader: 'lib64/ld-linux-x86-64.so.2', folder: 'usr/lib/x86_64-linux-gnu' },
  arm64: { loader: 'lib/ld-linux-aarch64.so.1', folder: 'usr/lib/aarch64-linux-gnu' },
};

/** iPXE's binaries by firmware, by the names that the boot server asks for. */
export const bootPrograms: Readonly<Record<Arch, readonly string[]>> = {
  amd64: ['ipxe.efi', 'snponly.efi', 'undionly.kpxe'],
  arm64: ['ipxe-arm64.efi'],
};

/**
 * Modules of the initramfs, with all that they depend on; the others come by the swarm. Common NICs first of all:
 * without the NIC's driver a node gets no further. The drivers mlx5, mlx4 and ice are left out for size.
 */
export const modules = [
  // file systems and devices that switch-root needs
  'loop',
  'squashfs',
  'overlay',
  // virtual machines
  'virtio_net',
  'virtio_blk',
  'virtio_scsi',
  'virtio_rng',
  'vmxnet3',
  'hv_netvsc',
  'xen-netfront',
  'ena',
  'gve',
  // network cards
  'e1000',
  'e1000e',
  'igb',
  'igc',
  'ixgbe',
  'i40e',
  'bnxt_en',
  'r8169',
  '8139too',
  '8139cp',
  'tg3',
  'atl1c',
  'alx',
  'atlantic',
  'sky2',
  'forcedeth',
  'via-rhine',
  'sis900',
  'jme',
  'pcnet32',
  // PHYs that those ask for by themselves
  'realtek',
  'broadcom',
  'marvell',
  // USB network adapters
  'xhci-pci',
  'ehci-pci',
  'r8152',
  'ax88179_178a',
  'cdc_ether',
  // storage
  'ahci',
  'nvme',
  'sd_mod',
  'usb-storage',
] as const;

/** Kernel and initramfs together: what every node loads from the server itself. */
export const budgetBytes = 27_000_000;
