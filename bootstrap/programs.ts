import { chmod, copyFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { Arch } from '#bundle/manifest.ts';
import { libraryPlaces } from './contents.ts';
import { libraryClosure } from './libraries.ts';
import { stubLibrary } from './stub-library.ts';

export interface ProgramOptions {
  readonly arch: Arch;
  /** Where the packages are unpacked. */
  readonly packagesPath: string;
  /** Names of libraries that become stubs. */
  readonly stubs: readonly string[];
}

/** Names of the libraries that programs need, stubs included, without what only a stub's original needs. */
export function librariesOf(programs: readonly string[], options: ProgramOptions): Promise<readonly string[]> {
  const { packagesPath, arch, stubs } = options;
  const paths = programs.map((path) => join(packagesPath, path));
  return libraryClosure(paths, join(packagesPath, libraryPlaces[arch].folder), stubs);
}

/** Puts programs into `bin` of a tree, and their libraries, the loader among them, into `lib`. */
export async function copyPrograms(programs: readonly string[], tree: string, options: ProgramOptions): Promise<void> {
  const { packagesPath, arch, stubs } = options;
  for (const path of programs) await copy(join(packagesPath, path), join(tree, 'bin', basename(path)), 0o755);
  const { folder, loader } = libraryPlaces[arch];
  for (const name of await librariesOf(programs, options)) {
    const from = join(packagesPath, folder, name);
    const to = join(tree, 'lib', name);
    if (stubs.includes(name)) await write(to, stubLibrary(await readFile(from), { name, arch }));
    else await copy(from, to, name === basename(loader) ? 0o755 : 0o644);
  }
}

/** Copies a file with a mode that does not depend on who builds. */
export async function copy(from: string, to: string, mode: number): Promise<void> {
  await mkdir(dirname(to), { recursive: true });
  await copyFile(from, to);
  await chmod(to, mode);
}

async function write(to: string, bytes: Buffer): Promise<void> {
  await mkdir(dirname(to), { recursive: true });
  await writeFile(to, bytes);
}
