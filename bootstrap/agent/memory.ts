import { Fault } from '#bundle/fault.ts';
import { runOrFail } from './command.ts';
import type { Host } from './host.ts';
import type { Paths } from './paths.ts';

export interface Memory {
  /** What the kernel could give to new programs and files at once. */
  readonly availableBytes: number;
  readonly totalBytes: number;
}

/** @param text of /proc/meminfo */
export function parseMemory(text: string): Memory {
  const bytes = (key: string) => Number(new RegExp(`^${key}:\\s+([0-9]+) kB`, 'm').exec(text)?.[1] ?? 0) * 1024;
  return { availableBytes: bytes('MemAvailable'), totalBytes: bytes('MemTotal') };
}

export function readMemory(host: Host): Memory {
  return parseMemory(host.readText('/proc/meminfo') ?? '');
}

/** Before anything is downloaded. @throws Fault `MEMORY_INSUFFICIENT` with what is missing */
export function checkMemory(memory: Memory, { needBytes, name }: { needBytes: number; name: string }): void {
  const missingBytes = needBytes - memory.availableBytes;
  if (missingBytes <= 0) return;
  const mib = (bytes: number) => Math.ceil(bytes / 1024 / 1024);
  const { availableBytes, totalBytes } = memory;
  const free = `${mib(availableBytes)} of this machine's ${mib(totalBytes)} MiB are free`;
  throw new Fault(
    'MEMORY_INSUFFICIENT',
    `Cannot boot ${name}: it needs ${mib(needBytes)} MiB of memory, ${free}, ${mib(missingBytes)} are missing`,
    { hint: 'Give the machine more memory, or choose a smaller image for it', retry: 'stalled' },
  );
}

/**
 * Kernel modules of the bootstrap that nothing has loaded so far: the network is up, nobody needs them any more, and in
 * an initramfs every file is RAM. They are in a squashfs, mounted where modprobe looks (`load-drivers`).
 */
export function dropModules(host: Host): void {
  const { modulesImage } = driverPlaces;
  if (host.sizeBytes(modulesImage) !== undefined) host.run(['umount', '-l', driverPlaces.modules]);
  host.run(['rm', '-rf', driverPlaces.modules, modulesImage]);
}

const driverPlaces = { modules: '/lib/modules', modulesImage: '/lib/modules.squashfs' } as const;

/**
 * The tmpfs that holds everything that is downloaded. It is there from the start, with the programs in it; now it may
 * grow by what the image needs, and not further, whatever a server sends.
 * @throws Fault `MEMORY_INSUFFICIENT`
 */
export function reserve(host: Host, sizeBytes: number, { run }: Paths): void {
  const fail = { code: 'MEMORY_INSUFFICIENT', purpose: 'reserve memory for the image' };
  const usedKib = Number.parseInt(runOrFail(host, ['du', '-skx', run], fail), 10);
  const sizeKib = usedKib + Math.ceil(sizeBytes / 1024) + 1024;
  runOrFail(host, ['mount', '-o', `remount,size=${sizeKib}k`, run], fail);
  runOrFail(host, ['mkdir', '-p', `${run}/torrents`, `${run}/files`], fail);
}

/** Gives back what {@link reserve} was for. The programs stay. */
export function release(host: Host, { run }: Paths): void {
  host.run(['rm', '-rf', `${run}/torrents`, `${run}/files`, `${run}/session.cpio`, `${run}/seed-list`]);
}
