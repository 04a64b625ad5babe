/** One file of a commit or directory, by its path from the folder of `boot.config.yaml`. */
export interface FileEntry {
  readonly path: string;
  /** `other`: symbolic links, submodules, devices. */
  readonly kind: 'file' | 'executable' | 'other';
  readonly sizeBytes: number;
}

/** Git's name of a file's content (`sha1:…`, or `sha256:…` in a repository of that kind): known without reading it. */
export type ContentId = `sha1:${string}` | `sha256:${string}`;

/** A place that definitions are read from. Nothing of it is ever checked out or executed. */
export interface DefinitionFiles {
  /** All files whose path begins with `prefix`, sorted by path. @throws Fault `FILES_TOO_MANY` */
  list(prefix: string): Promise<readonly FileEntry[]>;
  /**
   * The bytes of a file that `list` named.
   * @throws Fault `FILE_MISSING`, `FILE_TOO_LARGE`
   */
  read(path: string, limitBytes: number): Promise<Buffer>;
  /**
   * What the content of a file is called: the same bytes have the same name. Of a commit it is known without reading
   * the file, however large that is.
   * @throws Fault `FILE_MISSING`
   */
  contentId(path: string): Promise<ContentId>;
  /** Where a minisign secret key lies, wherever that can be seen. */
  findSecretKeys(): Promise<readonly { readonly file: string; readonly line: number }[]>;
  close(): Promise<void>;
}

/** At most so many files are looked at in one commit. */
export const filesLimit = 100_000;
