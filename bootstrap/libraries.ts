import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Fault } from '#bundle/fault.ts';
import { neededLibraries } from './elf.ts';

/**
 * The names of all libraries that programs need, directly or through other libraries, sorted; the loader included.
 * @param programs paths of ELF files
 * @param folder where the libraries are
 * @param stubs names of libraries that are wanted without what they need themselves
 * @throws Fault `LIBRARY_MISSING`, `ELF_INVALID`
 */
export async function libraryClosure(
  programs: readonly string[],
  folder: string,
  stubs: readonly string[] = [],
): Promise<readonly string[]> {
  const found = new Set<string>();
  const queue = [...programs];
  for (let path = queue.pop(); path !== undefined; path = queue.pop()) {
    for (const name of neededLibraries(await readElf(path))) {
      if (found.has(name)) continue;
      found.add(name);
      if (!stubs.includes(name)) queue.push(join(folder, name));
    }
  }
  return [...found].toSorted();
}

async function readElf(path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (cause) {
    throw new Fault('LIBRARY_MISSING', `Cannot build the bootstrap: ${path} is in none of its packages`, {
      cause,
      hint: 'Debian moved it to another package: correct the list in bootstrap/contents.ts',
      retry: 'stalled',
    });
  }
}
