import { randomBytes } from 'node:crypto';
import { chmod, copyFile, lstat, mkdir, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import type { BlobRef } from '#bundle/catalog.ts';
import type { Digest } from '#bundle/digest.ts';
import { Fault } from '#bundle/fault.ts';
import { renameDurably, replaceFile } from './atomic-file.ts';
import { digestOf, digestOfFile } from './digest.ts';
import { asDiskFault, withDiskFaults } from './disk-fault.ts';
import { parsePublished } from './published.ts';
import type { Published, Store } from './store.ts';
import { removeLeftovers, temporaryName } from './temporary.ts';
import { openVerified, type Verified } from './verified.ts';

interface Parts {
  readonly path: string;
  readonly verified: Verified;
  readonly temporary: () => string;
}

export interface StoreOptions {
  /** A directory for what is noted while reading. Set where another user writes the store: then nothing is written in it. */
  readonly notesPath?: string;
}

/**
 * Opens a store in a directory, making it where it is not there, and removes what killed processes left in it.
 * @throws Fault `DISK_FULL`, `DISK_FAILED`, `DISK_READ_ONLY`, `FILES_OPEN`, `FILE_DENIED`, as all its functions do
 */
export async function openStore(path: string, options: StoreOptions = {}): Promise<Store> {
  const root = resolve(path);
  const store = await open(root, options).catch((error: unknown) => {
    throw asDiskFault(error, root);
  });
  return withDiskFaults(store, root);
}

async function open(root: string, { notesPath }: StoreOptions): Promise<Store> {
  if (notesPath !== undefined) return openForReading(root, notesPath);
  for (const name of ['blobs', 'builds', 'catalogs', 'tmp']) await mkdir(join(root, name), { recursive: true });
  await removeLeftovers(join(root, 'tmp'));
  const temporary = () => join(root, 'tmp', temporaryName(randomBytes(8).toString('hex')));
  const verified = await openVerified(join(root, 'verified.json'), temporary);
  return { ...blobs({ path: root, verified, temporary }), ...records(root, temporary) };
}

/** Who writes the store has hashed what it wrote: its notes count, too. */
async function openForReading(root: string, notesPath: string): Promise<Store> {
  const temporary = () => join(notesPath, `verified.json.${randomBytes(8).toString('hex')}`);
  const verified = await openVerified(join(notesPath, 'verified.json'), temporary, join(root, 'verified.json'));
  return { ...blobs({ path: root, verified, temporary }), ...records(root, temporary) };
}

type Records = Pick<Store, 'readPublished' | 'publish' | 'catalogs' | 'readBuild' | 'writeBuild' | 'workDirectory'>;

function records(root: string, temporary: () => string): Records {
  const publishedPath = join(root, 'published');
  const buildPath = (inputs: Digest) => join(root, 'builds', `${inputs}.json`);
  return {
    async readPublished() {
      const text = await readIfThere(publishedPath);
      return text === undefined ? undefined : parsePublished(text.toString());
    },
    async publish(published) {
      const text = `${JSON.stringify(published)}\n`;
      await replaceFile(join(root, 'catalogs', `${published.serial}.json`), text, { temporary: temporary() });
      await replaceFile(publishedPath, text, { temporary: temporary() });
    },
    catalogs: () => readCatalogs(join(root, 'catalogs')),
    async readBuild(inputs) {
      const text = await readIfThere(buildPath(inputs));
      // Garbage collection keeps what was used lately. A store that is only read is not collected.
      if (text !== undefined) await utimes(buildPath(inputs), new Date(), new Date()).catch(() => undefined);
      return text === undefined ? undefined : parseOrNothing(text.toString());
    },
    writeBuild: (inputs, result) =>
      replaceFile(buildPath(inputs), `${JSON.stringify(result)}\n`, { temporary: temporary() }),
    async workDirectory() {
      const path = temporary();
      await mkdir(path);
      return path;
    },
  };
}

/** A file that a crash has damaged is no catalog: the published one is known without it. */
async function readCatalogs(path: string): Promise<readonly Published[]> {
  const names = (await readdir(path)).filter((name) => name.endsWith('.json'));
  const all = await Promise.all(
    names.map(async (name) => {
      const text = (await readIfThere(join(path, name)))?.toString() ?? '';
      try {
        return [parsePublished(text)];
      } catch (error) {
        if (error instanceof Fault) return [];
        throw error;
      }
    }),
  );
  return all.flat().toSorted((a, b) => b.serial - a.serial);
}

function blobs(parts: Parts): Omit<Store, keyof Records> {
  const blobPath = (digest: Digest) => join(parts.path, 'blobs', digest.slice(0, 2), digest);
  const exists = async (digest: Digest) => (await statIfThere(blobPath(digest))) !== undefined;

  async function take(temporary: string, digest: Digest): Promise<void> {
    const path = blobPath(digest);
    await chmod(temporary, 0o444);
    await mkdir(dirname(path), { recursive: true });
    await renameDurably(temporary, path);
    await parts.verified.remember(digest, await stat(path, { bigint: true }));
  }
  async function putBytes(bytes: Uint8Array): Promise<BlobRef> {
    const ref = { digest: digestOf(bytes), sizeBytes: bytes.length };
    if (await isIntact(ref)) return ref;
    const temporary = parts.temporary();
    await writeFile(temporary, bytes, { flag: 'wx' });
    await take(temporary, ref.digest);
    return ref;
  }
  async function putFile(
    path: string,
    { keep = false, onChunk }: Parameters<Store['putFile']>[1] = {},
  ): Promise<BlobRef> {
    if (!(await lstat(path)).isFile()) throw new Fault('BLOB_NOT_A_FILE', `Cannot store ${path}: not a regular file`);
    const source = await onStoreFileSystem(resolve(path), { keep, temporary: parts.temporary() });
    const ref = await digestOfFile(source, onChunk);
    if (source === blobPath(ref.digest)) return ref;
    if (await isIntact(ref)) await rm(source);
    else await take(source, ref.digest);
    if (source !== resolve(path) && !keep) await rm(path);
    return ref;
  }
  /** A blob that was damaged on the disk is written anew rather than believed. */
  async function isIntact(ref: BlobRef): Promise<boolean> {
    if (!(await exists(ref.digest))) return false;
    return verifyBlob(ref).then(
      () => true,
      () => false,
    );
  }
  async function verifyBlob({ digest, sizeBytes }: BlobRef): Promise<void> {
    const before = await statIfThere(blobPath(digest));
    if (!before) throw missing(digest);
    if (before.size !== BigInt(sizeBytes)) throw mismatch(digest);
    if (await parts.verified.has(digest, before)) return;
    if ((await digestOfFile(blobPath(digest))).digest !== digest) throw mismatch(digest);
    await parts.verified.remember(digest, before);
  }
  async function readBlob(digest: Digest, limitBytes: number): Promise<Buffer> {
    const stats = await statIfThere(blobPath(digest));
    if (!stats) throw missing(digest);
    if (stats.size > BigInt(limitBytes)) {
      throw new Fault(
        'BLOB_TOO_LARGE',
        `Cannot read blob ${digest}: ${stats.size} bytes, expected at most ${limitBytes}`,
      );
    }
    const bytes = await readFile(blobPath(digest));
    if (digestOf(bytes) !== digest) throw mismatch(digest);
    return bytes;
  }
  async function isUnchanged(digest: Digest): Promise<boolean> {
    const stats = await statIfThere(blobPath(digest));
    return stats !== undefined && (await parts.verified.has(digest, stats));
  }
  return { path: parts.path, has: exists, blobPath, readBlob, putBytes, putFile, verifyBlob, isUnchanged };
}

/** The file itself where a rename can move it into the store, else a copy. */
async function onStoreFileSystem(
  path: string,
  { keep, temporary }: { readonly keep: boolean; readonly temporary: string },
): Promise<string> {
  const [file, store] = await Promise.all([stat(path), stat(dirname(temporary))]);
  // A file with a second name could be changed through that name afterwards.
  if (!keep && file.dev === store.dev && file.nlink === 1) return path;
  await copyFile(path, temporary);
  return temporary;
}

async function readIfThere(path: string): Promise<Buffer | undefined> {
  return readFile(path).catch(ifThere);
}

async function statIfThere(path: string) {
  return stat(path, { bigint: true }).catch(ifThere);
}

function ifThere(error: unknown): undefined {
  if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
  throw error;
}

function parseOrNothing(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // A result of a build is only a shortcut: the build runs again.
    return undefined;
  }
}

function missing(digest: Digest): Fault {
  return new Fault('BLOB_MISSING', `Cannot read blob ${digest}: it is not in the store`, {
    hint: 'Run "boottorrent publish", which builds what is missing',
  });
}

function mismatch(digest: Digest): Fault {
  return new Fault('BLOB_DIGEST_MISMATCH', `Cannot use blob ${digest}: its bytes are not what its name says`, {
    hint: 'The file was changed or damaged on the disk: run "boottorrent publish", which builds it again',
  });
}
