import type { ImageRelease, Release } from './catalog.ts';
import { type Method, partsOf } from './start.ts';

const mebibyte = 1024 * 1024;

/**
 * How often the files of an image lie in RAM at the same time. Measured with 302 MB: kexec has the downloaded file, a copy
 * in its own process and a copy in the place where the next kernel looks for it.
 */
const copies: Readonly<Record<Method, number>> = {
  kexec: 3,
  'switch-root': 1,
  qemu: 1,
  exec: 1,
  chain: 0,
  local: 0,
};

/** QEMU's own memory, besides that of the machine in it. */
const qemuBytes = 128 * mebibyte;

/**
 * What a manifest says of the RAM that starting its image takes, besides the bootstrap's own and that of parts.
 * @param systemBytes what the running system asks for by itself
 */
export function bundleMemoryBytes(method: Method, sizes: { filesBytes: number; systemBytes: number }): number {
  const { filesBytes, systemBytes } = sizes;
  // By kexec the files are gone, and the bootstrap with them, when the system needs room for itself.
  return method === 'kexec'
    ? Math.max(copies.kexec * filesBytes, systemBytes)
    : copies[method] * filesBytes + systemBytes;
}

/** RAM that must be free on a node, in bytes, before it begins to download an image. */
export function memoryNeed(
  image: Pick<ImageRelease, 'arch' | 'start' | 'memoryBytes'>,
  parts: readonly Release[],
): number {
  const names: readonly string[] = partsOf(image.start);
  const needed = parts.filter((part) => part.arch === image.arch && names.includes(part.name));
  const machineBytes = image.start.method === 'qemu' ? image.start.memoryBytes + qemuBytes : 0;
  return image.memoryBytes + machineBytes + needed.reduce((sum, part) => sum + part.sizeBytes, 0);
}
