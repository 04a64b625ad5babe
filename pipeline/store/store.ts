import type { BlobRef } from '#bundle/catalog.ts';
import type { Digest, Revision } from '#bundle/digest.ts';

/** What the small file `published` says: which catalog is served. It is replaced last, by one rename. */
export interface Published {
  readonly catalog: Digest;
  /** The minisign signature file of the catalog. */
  readonly signature: Digest;
  readonly revision: Revision;
  readonly serial: number;
  /** ISO 8601 in UTC. */
  readonly publishedAt: string;
}

/**
 * Content-addressed storage of everything that is built. A blob is there completely or not at all: bytes are written
 * aside, synced, and get their name by a rename, so that a process killed at any point leaves old or new.
 */
export interface Store {
  readonly path: string;
  has(digest: Digest): Promise<boolean>;
  /** Where the blob is or would be. The file is read-only. */
  blobPath(digest: Digest): string;
  /**
   * The bytes of a small blob, checked against the digest.
   * @throws Fault `BLOB_MISSING`, `BLOB_DIGEST_MISMATCH`, `BLOB_TOO_LARGE`
   */
  readBlob(digest: Digest, limitBytes: number): Promise<Buffer>;
  putBytes(bytes: Uint8Array): Promise<BlobRef>;
  /**
   * Takes a regular file over: afterwards it is in the store and gone from `path`. `keep` copies it instead. `onChunk`
   * is given its bytes in order, each once, while they are hashed: whoever needs them too need not read them again.
   * @throws Fault `BLOB_NOT_A_FILE`
   */
  putFile(
    path: string,
    options?: { readonly keep?: boolean; readonly onChunk?: (chunk: Uint8Array) => void },
  ): Promise<BlobRef>;
  /**
   * Checks length and SHA-256 of the whole file. What was checked once is remembered by inode, size and times, so that
   * neither a restart nor another process hashes it again until the file changes.
   * @throws Fault `BLOB_MISSING`, `BLOB_DIGEST_MISMATCH`
   */
  verifyBlob(ref: BlobRef): Promise<void>;
  /** Whether a blob that was checked once looks as it did then: no hashing, one stat(2). */
  isUnchanged(digest: Digest): Promise<boolean>;
  /** @throws Fault `PUBLISHED_INVALID` */
  readPublished(): Promise<Published | undefined>;
  /** Also keeps the catalog as one of {@link catalogs}, first. */
  publish(published: Published): Promise<void>;
  /** Every catalog that was published and is still kept, newest first. A publish that was killed may be among them. */
  catalogs(): Promise<readonly Published[]>;
  /**
   * What `writeBuild` kept for these inputs, parsed from JSON; undefined when nothing was or it cannot be read. Reading
   * counts as use: garbage collection keeps what was used since the newest catalog that it drops.
   */
  readBuild(inputs: Digest): Promise<unknown>;
  writeBuild(inputs: Digest, result: unknown): Promise<void>;
  /**
   * A new empty directory on the store's file system, for files that `putFile` is to take over. The caller removes it;
   * one whose process was killed is removed when the store is opened next.
   */
  workDirectory(): Promise<string>;
}
