import type { BootTicket, TicketRelease } from '#bundle/boot-ticket.ts';
import type { Catalog, ImageRelease, Release, TorrentRef } from '#bundle/catalog.ts';
import type { Mac } from '#bundle/digest.ts';
import { Fault } from '#bundle/fault.ts';
import { type Arch, filesOf, type Manifest, type ManifestFile, type Role } from '#bundle/manifest.ts';
import { groupOf, joinCmdline, offeredImages } from '#bundle/selector.ts';
import { type ExecStart, type PartName, partsOf, type QemuStart } from '#bundle/start.ts';

/** What is known of the machine before anything is downloaded. */
export interface Machine {
  readonly mac: Mac;
  readonly arch: Arch;
  /** `uname -r` of the bootstrap. */
  readonly kernelRelease: string;
}

/** One torrent's worth of files. */
export interface Delivery {
  /** Its folder below the tmpfs: two releases may have one name. */
  readonly folder: 'image' | PartName;
  readonly manifest: Manifest;
  readonly files: readonly ManifestFile[];
  readonly hint: TicketRelease;
  /** What the signed catalog says of the torrent in `hint`. */
  readonly torrent?: TorrentRef;
}

/** Squashfs files of a root filesystem, the first is the lowest layer, and of kernel modules, to be laid over each other. */
export interface RootFiles {
  readonly rootfs: readonly string[];
  readonly modules: readonly string[];
}

/** A step of a boot, as data. Every path is relative to the tmpfs. */
export type Phase =
  /** `sizeBytes`: how much the tmpfs may hold besides the programs in it. */
  | { readonly kind: 'reserve'; readonly sizeBytes: number }
  | { readonly kind: 'download'; readonly deliveries: readonly Delivery[]; readonly totalBytes: number }
  | { readonly kind: 'verify-files'; readonly deliveries: readonly Delivery[]; readonly totalBytes: number }
  | { readonly kind: 'seed'; readonly budgetMs: number; readonly totalBytes: number }
  | KexecPhase
  | SwitchRootPhase
  | ExecPhase
  | QemuPhase
  /** chain and local: what the next boot script carries out. */
  | { readonly kind: 'reboot'; readonly image: string };

export interface KexecPhase {
  readonly kind: 'kexec';
  readonly kernel: string;
  readonly initrds: readonly string[];
  readonly cmdline: string;
  /** Drivers whose devices are let go before. */
  readonly unbind: readonly string[];
  /** The last initrd is our own stage, which hands the boot session on to the new system. */
  readonly takesSession: boolean;
}

export interface SwitchRootPhase extends RootFiles {
  readonly kind: 'switch-root';
  readonly cmdline: string;
  /** How much the root may write to RAM. Absent: half of the RAM. */
  readonly overlayBytes?: number;
  readonly torrents: readonly string[];
}

export interface ExecPhase extends RootFiles {
  readonly kind: 'exec';
  readonly start: ExecStart;
  readonly torrents: readonly string[];
}

export interface QemuPhase {
  readonly kind: 'qemu';
  readonly start: QemuStart;
  /** The squashfs with QEMU. */
  readonly tools: string;
  /** The folder of the bundle's files: QEMU runs in it, so that raw arguments can name them. */
  readonly folder: string;
  /** The bundle's files by name. */
  readonly files: Readonly<Record<string, string>>;
  readonly torrents: readonly string[];
}

/** What of the ticket was verified. */
export interface Verified {
  readonly catalog: Catalog;
  readonly image: ImageRelease;
  /** The image's command line and the group's, exactly as written. */
  readonly cmdline: string;
  readonly imageManifest: Manifest;
  readonly parts: readonly (Pick<Delivery, 'manifest' | 'hint' | 'torrent'> & { readonly name: PartName })[];
}

/** The initrd of an image that is made from Debian's packages has this name: a promise of the signed manifest. */
export const sessionInitrd = 'initrd.boottorrent';

/** What goes through the swarm and is not the image itself. */
export interface ChosenReleases {
  readonly image: ImageRelease;
  readonly cmdline: string;
  readonly parts: readonly { readonly name: PartName; readonly release: Release }[];
}

/**
 * An image that this node may boot, with its command line and the parts that it needs.
 * @param name what the site says, or what a person has chosen
 * @throws Fault `IMAGE_UNKNOWN`, `PART_UNKNOWN`
 */
export function chooseReleases(catalog: Catalog, machine: Pick<Machine, 'mac' | 'arch'>, name: string): ChosenReleases {
  const image = offeredImages(catalog, machine).find((one) => one.name === name);
  if (!image) throw new Fault('IMAGE_UNKNOWN', `Cannot boot ${name}: the site does not offer it to this node`);
  const parts = partsOf(image.start).map((part) => {
    const release = catalog.parts.find((one) => one.name === part && one.arch === machine.arch);
    if (release) return { name: part, release };
    throw new Fault('PART_UNKNOWN', `Cannot boot ${image.name}: the catalog has no ${part} for ${machine.arch}`, {
      hint: 'Publish again: this catalog was made without that part of the bootstrap',
      retry: 'stalled',
    });
  });
  return { image, cmdline: joinCmdline(image.cmdline, groupOf(catalog.groups, machine)?.cmdline), parts };
}

/**
 * The steps of a boot: pure, so that every combination can be looked at without a machine.
 * @throws Fault `IMAGE_INVALID`, `BOOTSTRAP_OUTDATED`
 */
export function phases(ticket: BootTicket, machine: Machine, verified: Verified): readonly Phase[] {
  const { start, name } = verified.image;
  if (start.method === 'chain' || start.method === 'local') return [{ kind: 'reboot', image: name }];
  for (const { manifest } of verified.parts) checkKernel(machine, manifest);
  const deliveries = deliveriesOf(ticket, verified);
  const totalBytes = sizeOf(deliveries);
  const last = startPhase(deliveries, verified);
  const { seedBudgetMs: budgetMs } = verified.catalog.swarm;
  return [
    { kind: 'reserve', sizeBytes: totalBytes + slackBytes(last, deliveries) },
    { kind: 'download', deliveries, totalBytes },
    { kind: 'verify-files', deliveries, totalBytes },
    // Who is about to leave stays for the others; all other methods go on seeding beside what they start.
    ...(last.kind === 'kexec' ? [{ kind: 'seed', budgetMs, totalBytes } as const] : []),
    last,
  ];
}

/** Where a file of a delivery is, below the tmpfs. */
export function deliveredPath(delivery: Delivery, file: ManifestFile): string {
  return `${folderOf(delivery)}/${file.name}`;
}

function folderOf(delivery: Delivery): string {
  return `files/${delivery.folder}/${delivery.manifest.name}`;
}

function deliveriesOf(ticket: BootTicket, { image, imageManifest, parts }: Verified): readonly Delivery[] {
  const { torrent } = image;
  const about = { manifest: imageManifest, files: imageManifest.files, hint: ticket.image };
  return [
    { folder: 'image', ...about, ...(torrent && { torrent }) },
    ...parts.map(({ name, ...part }) => ({ folder: name, files: part.manifest.files, ...part })),
  ];
}

function startPhase(deliveries: readonly Delivery[], { image, cmdline }: Verified): StartPhase {
  const { start } = image;
  const [bundle, ...parts] = deliveries as readonly [Delivery, ...Delivery[]];
  const torrents = deliveries.map((delivery) => delivery.folder);
  switch (start.method) {
    case 'kexec': {
      const initrds = pathsOf(bundle, 'initrd');
      const takesSession = filesOf(bundle.manifest, 'initrd').at(-1)?.name === sessionInitrd;
      return { kind: 'kexec', kernel: only(bundle, 'kernel'), initrds, cmdline, unbind: start.unbind, takesSession };
    }
    case 'switch-root': {
      const { overlayBytes } = start;
      const limit = overlayBytes === undefined ? {} : { overlayBytes };
      return { kind: 'switch-root', ...rootFiles(bundle, parts), cmdline, ...limit, torrents };
    }
    case 'exec':
      return { kind: 'exec', ...rootFiles(bundle, parts), start, torrents };
    case 'qemu':
      return { kind: 'qemu', start, tools: toolsOf(parts), ...namedFiles(bundle, start), torrents };
    case 'chain':
    case 'local':
      throw new TypeError(`${start.method} has nothing to start here`);
    default:
      return start satisfies never;
  }
}

type StartPhase = KexecPhase | SwitchRootPhase | ExecPhase | QemuPhase;

/** Initrds are put end to end: the second grows the first before it goes itself. And the session takes a page. */
function slackBytes(last: StartPhase, [bundle]: readonly Delivery[]): number {
  if (last.kind !== 'kexec' || !bundle) return 0;
  const sizes = filesOf(bundle.manifest, 'initrd').map((file) => file.sizeBytes);
  return Math.max(0, ...sizes.slice(1)) + 64 * 1024;
}

function rootFiles(bundle: Delivery, parts: readonly Delivery[]): RootFiles {
  const rootfs = pathsOf(bundle, 'rootfs');
  if (rootfs.length === 0) throw invalid(bundle, 'it has no rootfs');
  return { rootfs, modules: parts.map((part) => only(part, 'modules')) };
}

function toolsOf(parts: readonly Delivery[]): string {
  const [part] = parts;
  if (!part) throw new TypeError('a virtual machine needs the part qemu');
  return only(part, 'tools');
}

/** @throws Fault `IMAGE_INVALID` when the definition names a file that is not in the bundle */
function namedFiles(bundle: Delivery, { disks, cdrom, floppy }: QemuStart): Pick<QemuPhase, 'folder' | 'files'> {
  const files = new Map(bundle.files.map((file) => [file.name, deliveredPath(bundle, file)]));
  const named = [...disks.map((disk) => disk.file), cdrom, floppy].filter((name) => name !== undefined);
  const missing = named.find((name) => !files.has(name));
  if (missing !== undefined) throw invalid(bundle, `it has no file ${missing}`);
  return { folder: folderOf(bundle), files: Object.fromEntries(files) };
}

function pathsOf(delivery: Delivery, role: Role): readonly string[] {
  return filesOf(delivery.manifest, role).map((file) => deliveredPath(delivery, file));
}

function only(delivery: Delivery, role: Role): string {
  const [path, ...others] = pathsOf(delivery, role);
  if (path !== undefined && others.length === 0) return path;
  throw invalid(delivery, `it must have exactly one ${role}`);
}

function invalid({ manifest }: Delivery, reason: string): Fault {
  return new Fault('IMAGE_INVALID', `Cannot boot ${manifest.name}: ${reason}`, { retry: 'stalled' });
}

function sizeOf(deliveries: readonly Delivery[]): number {
  return deliveries.flatMap((one) => one.files).reduce((total, file) => total + file.sizeBytes, 0);
}

/** Modules fit one kernel only. A node that runs an older bootstrap than the catalog's gets the new one by a reboot. */
function checkKernel(machine: Machine, part: Manifest): void {
  if (part.kernelRelease === undefined || part.kernelRelease === machine.kernelRelease) return;
  throw new Fault(
    'BOOTSTRAP_OUTDATED',
    `Cannot use the modules of kernel ${part.kernelRelease}: this one is ${machine.kernelRelease}`,
    { hint: 'The bootstrap was replaced while this node booted: it boots again', retry: 'stalled' },
  );
}
