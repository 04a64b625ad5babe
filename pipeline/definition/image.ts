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
  /** What is run in the root filesystem once packages and overlay are in it, in this order. */
  readonly run: readonly RunStep[];
  /** What `{{ name }}` in the command line and in `overlay/**.tmpl` stands for. */
  readonly values: Readonly<Record<string, string>>;
  /** As written, with its values in it. */
  readonly cmdline: string;
  /** What a lab needs to know: the console text by which a kernel without our agent shows that it is up. */
  readonly lab: { readonly expect?: string };
}

/** How the files of an image are obtained. */
export type ImageSource = TreeSource | FilesSource | IsoSource | CommandSource;

/** Sources that give a root filesystem as a tree, which overlay and `run` change before it is packed. */
export type TreeSource = DebianSource | OciSource | DirectorySource;

/** A root filesystem built from Debian packages and what they depend on. */
export interface DebianSource {
  readonly kind: 'debian';
  readonly suite: string;
  /** The moment of snapshot.debian.org: `20261101T000000Z`. Absent: the mirror as it is when the packages are resolved. */
  readonly snapshot?: string;
  readonly packages: readonly string[];
}

/** A container image of a registry. */
export interface OciSource {
  readonly kind: 'oci';
  /** `registry/repository`, with `:tag`, `@sha256:…` or both. */
  readonly image: string;
  /** With kexec: the path of the kernel in it. Default: the only `/boot/vmlinuz-*`. */
  readonly kernel?: string;
}

/** A prepared root tree: in the image's folder, or by an absolute path on the builder. */
export interface DirectorySource {
  readonly kind: 'directory';
  readonly path: string;
}

/** Files that exist already, in the order of their roles; none with method `local`. */
export interface FilesSource {
  readonly kind: 'files';
  readonly files: readonly SourceFileDefinition[];
}

/** Files taken out of an ISO 9660 image. */
export interface IsoSource {
  readonly kind: 'iso';
  readonly image: FileOrigin;
  /** `origin.path` is a path in the ISO. */
  readonly files: readonly SourceFileDefinition[];
}

/** Files that a program on the builder makes. */
export interface CommandSource {
  readonly kind: 'command';
  readonly command: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  /** A path that ends in a slash is a folder. */
  readonly inputs: readonly FileOrigin[];
  /** `origin.path` is a path in the command's directory. */
  readonly files: readonly SourceFileDefinition[];
  readonly network: boolean;
  readonly timeoutMs: number;
}

/** A line for `/bin/sh`, or a program of the image's folder. */
export type RunStep = { readonly network: boolean } & (
  | { readonly kind: 'shell'; readonly text: string }
  | { readonly kind: 'script'; readonly path: string }
);

/** Whether an image's source gives a tree that overlay and `run` change. */
export function isTree(source: ImageSource): source is TreeSource {
  return source.kind === 'debian' || source.kind === 'oci' || source.kind === 'directory';
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
