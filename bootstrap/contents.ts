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
 * Libraries that aria2 names and never needs here, for SFTP and for the cookies of browsers: in their place is a stub of
 * the same functions. With OpenSSL, which the first of them brings, that is 2.6 MB of an initramfs, 8 MB of RAM, and less to attack.
 */
export const stubs = ['libssh2.so.1', 'libsqlite3.so.0'] as const;

/** Kernel and initramfs together: what every node loads from the server itself. */
export const budgetBytes = 28_000_000;
