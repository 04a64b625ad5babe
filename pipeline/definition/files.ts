/** One file of a commit or directory, by its path from the folder of `boot.config.yaml`. */
export interface FileEntry {
  readonly path: string;
  /** `other`: symbolic links, submodules, devices. */
  readonly kind: 'file' | 'executable' | 'other';
  readonly sizeBytes: number;
}

/** A place that definitions are read from. Nothing of it is ever checked out or executed. */
export interface DefinitionFiles {
  /** All files whose path begins with `prefix`, sorted by path. @throws Fault `FILES_TOO_MANY` */
  list(prefix: string): Promise<readonly FileEntry[]>;
  /**
   * The bytes of a file that `list` named.
   * @throws Fault `FILE_MISSING`, `FILE_TOO_LARGE`
   */
  read(path: string, limitBytes: number): Promise<Buffer>;
  /** Where a minisign secret key lies, wherever that can be seen. */
  findSecretKeys(): Promise<readonly { readonly file: string; readonly line: number }[]>;
  close(): Promise<void>;
}

/** At most so many files are looked at in one commit. */
export const filesLimit = 100_000;
