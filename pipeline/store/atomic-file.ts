import { open, rename, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';

/** Moves a complete file to its name so that after a crash there is the old one or the new one, never a part. */
export async function renameDurably(from: string, to: string): Promise<void> {
  await syncPath(from);
  await rename(from, to);
  // The rename itself is only on the disk once the directory is (fsync(2), ext4 and xfs alike).
  await syncPath(dirname(to));
}

/**
 * Replaces a file as a whole.
 * @param options.temporary a name on the same file system that nobody else uses
 * @param options.isCache a power cut may leave the file empty: its readers can do without. Default: false
 */
export async function replaceFile(
  path: string,
  content: Uint8Array | string,
  options: { readonly temporary: string; readonly isCache?: boolean },
): Promise<void> {
  await writeFile(options.temporary, content, { flag: 'wx' });
  if (options.isCache) await rename(options.temporary, path);
  else await renameDurably(options.temporary, path);
}

async function syncPath(path: string): Promise<void> {
  const file = await open(path, 'r');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}
