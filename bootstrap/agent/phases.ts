import type { BootTicket, TicketRelease } from '#bundle/boot-ticket.ts';
import type { Catalog, ImageRelease, Release } from '#bundle/catalog.ts';
import type { Mac } from '#bundle/digest.ts';
import { Fault } from '#bundle/fault.ts';
import { type Arch, filesOf, type Manifest, type ManifestFile } from '#bundle/manifest.ts';
import { chooseImage, joinCmdline } from '#bundle/selector.ts';

/** What is known of the machine before anything is downloaded. */
export interface Machine {
  readonly mac: Mac;
  readonly arch: Arch;
  /** `uname -r` of the bootstrap. */
  readonly kernelRelease: string;
  readonly memoryAvailableBytes: number;
}

/** One torrent's worth of files. */
export interface Delivery {
  /** Its folder below the tmpfs: two releases may have one name. */
  readonly folder: 'image' | 'bootstrap';
  readonly manifest: Manifest;
  readonly files: readonly ManifestFile[];
  readonly hint: TicketRelease;
}

/** A step of a boot, as data. Every path is relative to the tmpfs. */
export type Phase =
  | { readonly kind: 'reserve'; readonly sizeBytes: number }
  | { readonly kind: 'download'; readonly deliveries: readonly Delivery[]; readonly totalBytes: number }
  | { readonly kind: 'verify-files'; readonly deliveries: readonly Delivery[] }
  | { readonly kind: 'kexec'; readonly kernel: string; readonly initrds: readonly string[]; readonly cmdline: string }
  | {
      readonly kind: 'switch-root';
      readonly rootfs: string;
      readonly modules: string;
      readonly cmdline: string;
      readonly torrents: readonly string[];
    };

/** What of the ticket was verified. */
export interface Verified {
  readonly catalog: Catalog;
  readonly image: ImageRelease;
  /** The image's command line and the group's, exactly as written. */
  readonly cmdline: string;
  readonly imageManifest: Manifest;
  readonly bootstrapManifest: Manifest;
}

/** Programs and libraries that are copied beside the files; aria2 with its libraries is 32 MB. */
const programBytes = 48 * 1024 * 1024;
/** What the rest of the system needs while it boots; below that, programs are killed for memory at random. */
const reserveBytes = 64 * 1024 * 1024;
/** Measured: 302 MB by kexec need between 3 and 3.7 times that, since the kernel copies it twice. */
const kexecFactor = 3;

/** Which release of the catalog this node boots, and with which command line. @throws Fault `IMAGE_UNKNOWN`, `BOOTSTRAP_UNKNOWN` */
export function chooseReleases(
  catalog: Catalog,
  machine: Pick<Machine, 'mac' | 'arch'>,
): { readonly image: ImageRelease; readonly cmdline: string; readonly bootstrap: Release } {
  const { image, group } = chooseImage(catalog, machine);
  const bootstrap = catalog.bootstraps.find((one) => one.arch === machine.arch);
  if (bootstrap) return { image, cmdline: joinCmdline(image.cmdline, group?.cmdline), bootstrap };
  throw new Fault('BOOTSTRAP_UNKNOWN', `Cannot boot: the catalog has no bootstrap for ${machine.arch}`);
}

/**
 * The steps of a boot: pure, so that every combination can be looked at without a machine.
 * @throws Fault `IMAGE_INVALID`, `BOOTSTRAP_OUTDATED`, `MEMORY_INSUFFICIENT`
 */
export function phases(ticket: BootTicket, machine: Machine, verified: Verified): readonly Phase[] {
  const image: Delivery = {
    folder: 'image',
    manifest: verified.imageManifest,
    files: verified.imageManifest.files,
    hint: ticket.image,
  };
  if (verified.image.method === 'kexec') return kexecPhases(image, machine, verified.cmdline);
  return switchRootPhases(image, machine, { ticket, verified });
}

/** Where a file of a delivery is, below the tmpfs. */
export function deliveredPath(delivery: Delivery, file: ManifestFile): string {
  return `files/${delivery.folder}/${delivery.manifest.name}/${file.name}`;
}

function kexecPhases(image: Delivery, machine: Machine, cmdline: string): readonly Phase[] {
  const totalBytes = sizeOf([image]);
  const initrds = filesOf(image.manifest, 'initrd').map((file) => deliveredPath(image, file));
  checkMemory(machine, { needBytes: totalBytes * kexecFactor + reserveBytes, name: image.manifest.name });
  return [
    // Room for the initrds once more: several are put end to end for the kernel.
    { kind: 'reserve', sizeBytes: totalBytes * 2 + 1024 * 1024 },
    { kind: 'download', deliveries: [image], totalBytes },
    { kind: 'verify-files', deliveries: [image] },
    { kind: 'kexec', kernel: deliveredPath(image, only(image, 'kernel')), initrds, cmdline },
  ];
}

function switchRootPhases(
  image: Delivery,
  machine: Machine,
  { ticket, verified }: { ticket: BootTicket; verified: Verified },
): readonly Phase[] {
  const { bootstrapManifest: manifest, cmdline } = verified;
  checkKernel(machine, manifest);
  const modules: Delivery = {
    folder: 'bootstrap',
    manifest,
    files: filesOf(manifest, 'modules'),
    hint: ticket.bootstrap,
  };
  const deliveries = [image, modules];
  const totalBytes = sizeOf(deliveries);
  checkMemory(machine, { needBytes: totalBytes + programBytes + reserveBytes, name: image.manifest.name });
  return [
    { kind: 'reserve', sizeBytes: totalBytes + programBytes },
    { kind: 'download', deliveries, totalBytes },
    { kind: 'verify-files', deliveries },
    {
      kind: 'switch-root',
      rootfs: deliveredPath(image, only(image, 'rootfs')),
      modules: deliveredPath(modules, only(modules, 'modules')),
      cmdline,
      torrents: deliveries.map((delivery) => delivery.folder),
    },
  ];
}

function only(delivery: Delivery, role: 'kernel' | 'rootfs' | 'modules'): ManifestFile {
  const [file, ...others] = filesOf(delivery.manifest, role);
  if (file && others.length === 0) return file;
  throw new Fault('IMAGE_INVALID', `Cannot boot ${delivery.manifest.name}: it must have exactly one ${role}`);
}

function sizeOf(deliveries: readonly Delivery[]): number {
  return deliveries.flatMap((one) => one.files).reduce((total, file) => total + file.sizeBytes, 0);
}

/** Modules fit one kernel only. A node that runs an older bootstrap than the catalog's gets the new one by a reboot. */
function checkKernel(machine: Machine, bootstrap: Manifest): void {
  if (bootstrap.kernelRelease === machine.kernelRelease) return;
  throw new Fault(
    'BOOTSTRAP_OUTDATED',
    `Cannot use the modules of kernel ${bootstrap.kernelRelease}: this one is ${machine.kernelRelease}`,
    { hint: 'The bootstrap was replaced while this node booted: it boots again', retry: 'stalled' },
  );
}

function checkMemory(machine: Machine, { needBytes, name }: { needBytes: number; name: string }): void {
  if (machine.memoryAvailableBytes >= needBytes) return;
  const megabytes = (bytes: number) => Math.round(bytes / 1e6);
  throw new Fault(
    'MEMORY_INSUFFICIENT',
    `Cannot boot ${name}: it needs ${megabytes(needBytes)} MB of memory, ${megabytes(machine.memoryAvailableBytes)} MB are free`,
    { hint: 'Give the machine more memory, or choose a smaller image for it', retry: 'stalled' },
  );
}
