import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';

/**
 * Removes what a git that was killed leaves in a mirror: halves of packs, and locks, which would keep the next one from
 * working. Only for a repository in which nobody else writes.
 */
export async function removeLeftovers(path: string): Promise<void> {
  const folders = ['.', 'refs/boottorrent', 'objects', 'objects/pack'];
  for (const folder of folders) {
    const names = await readdir(join(path, folder)).catch(() => []);
    for (const name of names.filter((one) => /\.lock$|^tmp_|^\.tmp-/.test(one))) {
      await rm(join(path, folder, name), { recursive: true, force: true });
    }
  }
}

/** Bytes of the largest half of a pack. */
export async function largestLeftover(path: string): Promise<number> {
  const folder = join(path, 'objects', 'pack');
  const names = (await readdir(folder).catch(() => [])).filter((name) => name.startsWith('tmp_'));
  const sizes = await Promise.all(names.map(async (name) => (await stat(join(folder, name))).size));
  return Math.max(0, ...sizes);
}

export async function countPacks(path: string): Promise<number> {
  const names = await readdir(join(path, 'objects', 'pack')).catch(() => []);
  return names.filter((name) => name.endsWith('.pack')).length;
}
