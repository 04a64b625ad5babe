import { open, rename } from 'node:fs/promises';
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
 * @param temporary a name on the same file system that nobody else uses
 */
export async function replaceFile(
  path: string,
  content: Uint8Array | string,
  { temporary, mode = 0o644 }: { readonly temporary: string; readonly mode?: number },
): Promise<void> {
  const file = await open(temporary, 'wx', mode);
  try {
    await file.writeFile(content);
  } finally {
    await file.close();
  }
  await renameDurably(temporary, path);
}

async function syncPath(path: string): Promise<void> {
  const file = await open(path, 'r');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}
