import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, lstat, open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Fault } from '#bundle/fault.ts';
import { findSecretKeys } from '#bundle/signature.ts';
import { type ContentId, type DefinitionFiles, type FileEntry, filesLimit } from './files.ts';

/** A file that is larger is not searched for secret keys: one has 300 bytes. */
export const searchLimitBytes = 1024 * 1024;

/** Reads definitions as they lie in a directory, committed or not. Symbolic links are never followed. */
export function directoryFiles(directory: string): DefinitionFiles {
  const list = async (prefix: string) => {
    const base = prefix.slice(0, prefix.lastIndexOf('/') + 1);
    const entries = await walk(directory, base);
    return entries.filter(({ path }) => path.startsWith(prefix)).toSorted((a, b) => (a.path < b.path ? -1 : 1));
  };
  const read = (path: string, limitBytes: number) => readRegular(directory, path, limitBytes);
  return {
    list,
    read,
    contentId: (path) => contentIdOf(directory, path),
    async findSecretKeys() {
      const images = await list('images/');
      const small = images.filter(({ kind, sizeBytes }) => kind !== 'other' && sizeBytes <= searchLimitBytes);
      const found = [];
      for (const file of ['boot.config.yaml', ...small.map((entry) => entry.path)]) {
        const text = await read(file, searchLimitBytes).then(String, () => '');
        found.push(...findSecretKeys(text).map((line) => ({ file, line })));
      }
      return found;
    },
    close: async () => undefined,
  };
}

async function walk(root: string, folder: string): Promise<FileEntry[]> {
  const names = await readdir(join(root, folder), { withFileTypes: true }).catch((error) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return [];
    throw error;
  });
  const entries: FileEntry[] = [];
  for (const one of names) {
    const path = `${folder}${one.name}`;
    if (one.isDirectory()) entries.push(...(await walk(root, `${path}/`)));
    else entries.push(await entryOf(root, path));
    if (entries.length > filesLimit) throw new Fault('FILES_TOO_MANY', `Cannot read ${folder}: too many files`);
  }
  return entries;
}

async function entryOf(root: string, path: string): Promise<FileEntry> {
  const stats = await lstat(join(root, path));
  const kind = !stats.isFile() ? 'other' : stats.mode & 0o100 ? 'executable' : 'file';
  return { path, kind, sizeBytes: stats.size };
}

async function readRegular(root: string, path: string, limitBytes: number): Promise<Buffer> {
  return withRegular(root, path, async (file, sizeBytes) => {
    if (sizeBytes > limitBytes) throw tooLarge(path, { sizeBytes, limitBytes });
    return file.readFile();
  });
}

/** As git names it in a repository of the usual kind, so that a commit of this directory has the same names. */
async function contentIdOf(root: string, path: string): Promise<ContentId> {
  return withRegular(root, path, async (file, sizeBytes) => {
    const hash = createHash('sha1').update(`blob ${sizeBytes}\0`);
    for await (const chunk of file.createReadStream({ autoClose: false, highWaterMark: 1024 * 1024 }))
      hash.update(chunk);
    return `sha1:${hash.digest('hex')}` as const;
  });
}

async function withRegular<T>(
  root: string,
  path: string,
  use: (file: FileHandle, sizeBytes: number) => Promise<T>,
): Promise<T> {
  const file = await open(join(root, path), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK).catch(
    (cause) => {
      throw new Fault('FILE_MISSING', `Cannot read ${path}: there is no such file`, { cause, retry: 'stalled' });
    },
  );
  try {
    const stats = await file.stat();
    if (!stats.isFile()) throw new Fault('FILE_MISSING', `Cannot read ${path}: it is no regular file`);
    return await use(file, stats.size);
  } finally {
    await file.close();
  }
}

/** A file that is larger than its reader takes. */
export function tooLarge(path: string, { sizeBytes, limitBytes }: { sizeBytes: number; limitBytes: number }): Fault {
  return new Fault('FILE_TOO_LARGE', `Cannot read ${path}: ${sizeBytes} bytes, expected at most ${limitBytes}`, {
    retry: 'stalled',
  });
}
