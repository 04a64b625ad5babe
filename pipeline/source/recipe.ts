import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { Digest } from '#bundle/digest.ts';
import { digestOf } from '../store/digest.ts';

/**
 * A digest of how a source works: a part of the inputs of every image that is built by it. It is that of the program's
 * own text, because a number to be raised by hand would be forgotten.
 * @param names files of this folder; those without an ending are modules, which an installed package has as JavaScript
 */
export async function recipeOf(names: readonly string[]): Promise<Digest> {
  const ending = import.meta.url.slice(import.meta.url.lastIndexOf('.'));
  const paths = names.map((name) => recipePath(/\.[a-z]+$|\//.test(name) ? name : `${name}${ending}`));
  return digestOf((await Promise.all(paths.map((path) => readFile(path, 'utf8')))).join('\0'));
}

/** Where a file of this folder is. */
export function recipePath(name: string): string {
  return fileURLToPath(new URL(name, import.meta.url));
}
