import { type Digest, parseDigest } from './digest.ts';
import { Fault } from './fault.ts';
import { parseRecord, type RecordReader } from './record.ts';
import { type Method, methods } from './start.ts';

export const arches = ['amd64', 'arm64'] as const;
/** A processor architecture, by Debian's name. */
export type Arch = (typeof arches)[number];

export const roles = [
  'kernel',
  'initrd',
  'rootfs',
  'modules',
  'tools',
  'disk',
  'cdrom',
  'floppy',
  'nbp',
  'file',
  'pad',
] as const;
/**
 * What a file of a bundle is for. `kernel` and `initrd` (several: loaded in the order of the manifest), `rootfs`
 * (squashfs; several: layers, the first is the lowest), `modules` (a squashfs of /lib/modules/<release>), `tools` (a
 * squashfs with programs of the bootstrap), `disk`, `cdrom` and `floppy` of a virtual machine, `nbp` (a network boot program),
 * `pad` (zeros, so that the next file of the torrent begins with a piece).
 */
export type Role = (typeof roles)[number];

export interface ManifestFile {
  /** One path segment, unique in the bundle: also its name in the torrent. */
  readonly name: string;
  readonly role: Role;
  readonly sizeBytes: number;
  readonly sha256: Digest;
}

/** The list of a bundle's files. Its own SHA-256 stands in the signed catalog: every byte hangs on that. */
export interface Manifest {
  readonly format: 1;
  /** `part`: belongs to the bootstrap, and goes through the swarm when an image needs it. */
  readonly kind: 'image' | 'bootstrap' | 'part';
  readonly name: string;
  readonly arch: Arch;
  /** Present for `kind: image`. */
  readonly method?: Method;
  /** With an image: RAM that starting it by this method takes besides the bootstrap's own and that of parts. */
  readonly memoryBytes?: number;
  /** `uname -r` of the kernel: present for `kind: bootstrap`, and for a part with modules. */
  readonly kernelRelease?: string;
  /** Sorted by name. */
  readonly files: readonly ManifestFile[];
}

/** At most this many bytes are read before a manifest is refused. */
export const manifestLimitBytes = 256 * 1024;

/** Deterministic: the same manifest is the same text, ending in a newline. */
export function formatManifest(manifest: Manifest): string {
  const files = [...manifest.files].sort((a, b) => (a.name < b.name ? -1 : 1));
  const { format, kind, name, arch, method, memoryBytes, kernelRelease } = manifest;
  const sorted = files.map(({ name, role, sizeBytes, sha256 }) => ({ name, role, sizeBytes, sha256 }));
  return `${JSON.stringify({ format, kind, name, arch, method, memoryBytes, kernelRelease, files: sorted }, null, 1)}\n`;
}

/** @throws Fault `MANIFEST_INVALID` */
export function parseManifest(text: string): Manifest {
  if (text.length > manifestLimitBytes)
    throw new Fault('MANIFEST_INVALID', 'Cannot read the manifest: it is too large');
  const record = parseRecord(text, 'the manifest', 'MANIFEST_INVALID');
  const kind = record.oneOf('kind', ['image', 'bootstrap', 'part']);
  const kernelRelease = record.optionalString('kernelRelease', 100);
  const files = record.list('files', 1000).map(parseFile);
  if (new Set(files.map((file) => file.name)).size !== files.length) {
    throw new Fault('MANIFEST_INVALID', 'Cannot read the manifest: two files have the same name');
  }
  return {
    format: record.integer('format', { min: 1, max: 1 }) as 1,
    kind,
    name: record.string('name', 64),
    arch: record.oneOf('arch', arches),
    ...(kind === 'image' && { method: record.oneOf('method', methods), memoryBytes: record.integer('memoryBytes') }),
    ...(kernelRelease !== undefined && { kernelRelease }),
    files,
  };
}

/** The files of a bundle that its torrent names: of a bootstrap none, since firmware fetches them by HTTP and TFTP. */
export function swarmFiles(manifest: Manifest): readonly ManifestFile[] {
  return manifest.kind === 'bootstrap' ? [] : manifest.files;
}

/** The files of a role, in the order of the manifest. */
export function filesOf(manifest: Manifest, role: Role): readonly ManifestFile[] {
  return manifest.files.filter((file) => file.role === role);
}

function parseFile(record: RecordReader): ManifestFile {
  const name = record.string('name', 200);
  if (!/^[A-Za-z0-9][A-Za-z0-9._+-]*$/.test(name)) {
    throw new Fault('MANIFEST_INVALID', `Cannot read the manifest: ${JSON.stringify(name)} is no plain file name`);
  }
  return {
    name,
    role: record.oneOf('role', roles),
    sizeBytes: record.integer('sizeBytes'),
    sha256: parseDigest(record.string('sha256')),
  };
}
