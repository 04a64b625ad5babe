import type { Digest } from '#bundle/digest.ts';
import type { Arch, Role } from '#bundle/manifest.ts';
import type { Start } from '#bundle/start.ts';

/** `images/<name>/image.yaml` after parsing: defaults filled in. */
export interface ImageDefinition {
  /** The folder's name. */
  readonly name: string;
  readonly title: string;
  readonly description?: string;
  readonly arch: Arch;
  readonly start: Start;
  /** RAM that its running system asks for, besides its files. */
  readonly memoryBytes: number;
  /** A node that sends no heartbeat within this time after it was started counts as failed. Absent: none is expected. */
  readonly heartbeatMs?: number;
  readonly source: ImageSource;
  /** Exactly as written. */
  readonly cmdline: string;
  /** What a lab needs to know: the console text by which a kernel without our agent shows that it is up. */
  readonly lab: { readonly expect?: string };
}

/** How the files of an image are obtained. */
export type ImageSource = DebianSource | FilesSource;

/** A root filesystem built from Debian packages and what they depend on. */
export interface DebianSource {
  readonly kind: 'debian';
  readonly suite: string;
  readonly packages: readonly string[];
}

/** Files that exist already, in the order of their roles; none with method `local`. */
export interface FilesSource {
  readonly kind: 'files';
  readonly files: readonly SourceFileDefinition[];
}

/** What a file is for: a key of `source.files`. */
export type SourceRole = Extract<Role, 'kernel' | 'initrd' | 'rootfs' | 'disk' | 'cdrom' | 'floppy' | 'nbp' | 'file'>;

export interface SourceFileDefinition {
  readonly role: SourceRole;
  /**
   * The file's name in the bundle, unique: the last segment of where it comes from, with `00-`, `01-` … before it where
   * there are several initrds or layers, since a manifest is sorted by name.
   */
  readonly name: string;
  readonly origin: FileOrigin;
}

/** A path in the image's folder, an address, or a file inside a Debian package. */
export type FileOrigin =
  | { readonly kind: 'path'; readonly path: string }
  | { readonly kind: 'url'; readonly url: string; readonly sha256: Digest }
  | { readonly kind: 'package'; readonly package: string; readonly suite: string; readonly path: string };
