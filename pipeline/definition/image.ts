import type { Digest } from '#bundle/digest.ts';
import type { Arch, Method } from '#bundle/manifest.ts';

/** `images/<name>/image.yaml` after parsing: defaults filled in. */
export interface ImageDefinition {
  /** The folder's name. */
  readonly name: string;
  readonly title: string;
  readonly arch: Arch;
  readonly method: Method;
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

/** Files that exist already. With kexec `kernel` and `initrd` (loaded in this order), with switch-root `rootfs`. */
export interface FilesSource {
  readonly kind: 'files';
  readonly files: readonly SourceFileDefinition[];
}

export interface SourceFileDefinition {
  readonly role: 'kernel' | 'initrd' | 'rootfs';
  /** The file's name in the bundle, unique: the last segment of where it comes from. */
  readonly name: string;
  readonly origin: FileOrigin;
}

/** A path in the image's folder, an address, or a file inside a Debian package. */
export type FileOrigin =
  | { readonly kind: 'path'; readonly path: string }
  | { readonly kind: 'url'; readonly url: string; readonly sha256: Digest }
  | { readonly kind: 'package'; readonly package: string; readonly suite: string; readonly path: string };
