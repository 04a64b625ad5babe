import { copyFile, link, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { digestOf } from '../store/digest.ts';
import type { Deb } from './apt.ts';
import { packageFileName } from './package-list.ts';
import { runProgram } from './program.ts';

/**
 * Makes `directory` a flat apt repository of exactly these packages, so that what gets installed cannot differ from
 * the lock. The files are linked where the file system allows it. The index is written without `dpkg-scanpackages`:
 * that needs dpkg-dev, and hashes everything again.
 */
export async function writeDebRepository(
  debs: readonly Deb[],
  directory: string,
  { suite, signal }: { readonly suite: string; readonly signal?: AbortSignal | undefined },
): Promise<void> {
  await mkdir(directory, { recursive: true });
  const stanzas: string[] = [];
  for (const deb of debs) {
    const file = packageFileName(deb.package);
    await link(deb.path, join(directory, file)).catch(() => copyFile(deb.path, join(directory, file)));
    const control = await runProgram(['dpkg-deb', '--field', deb.path], signal ? { signal } : {});
    const { sizeBytes, sha256 } = deb.package;
    stanzas.push(`${control.trimEnd()}\nFilename: ./${file}\nSize: ${sizeBytes}\nSHA256: ${sha256}\n`);
  }
  const index = `${stanzas.join('\n')}\n`;
  await writeFile(join(directory, 'Packages'), index);
  await writeFile(join(directory, 'Release'), formatRelease(suite, index));
}

/** mmdebstrap finds the essential packages of a *suite*; without this file the repository belongs to none. */
function formatRelease(suite: string, index: string): string {
  const entry = `${digestOf(index)} ${Buffer.byteLength(index)} Packages`;
  return `Suite: ${suite}\nCodename: ${suite}\nSHA256:\n ${entry}\n`;
}
