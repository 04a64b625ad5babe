import { lstat, mkdir } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { Fault } from '#bundle/fault.ts';
import type { SourceFileDefinition } from '../definition/image.ts';
import { type AptOptions, common } from './apt-directory.ts';
import { runProgram } from './program.ts';
import type { SourceFile } from './source.ts';
import type { ToolRoot } from './tool-root.ts';

export interface IsoOptions extends Pick<AptOptions, 'log' | 'signal'> {
  /** Where the ISO 9660 image is. */
  readonly isoPath: string;
  /** `origin.path` is a path in it. */
  readonly files: readonly SourceFileDefinition[];
  readonly toolRoot: ToolRoot;
  /** The caller removes it. */
  readonly workPath: string;
}

/** The files of this program that the bytes of such an image depend on. @see recipeOf */
export const isoRecipe = ['iso'] as const;

/**
 * Takes files out of an ISO 9660 image (Rock Ridge, Joliet), by xorriso and not by a kernel's file system: nothing is
 * mounted that a stranger made.
 * @throws Fault `FILE_NOT_IN_ISO`, `ISO_UNREADABLE`
 */
export async function obtainIso(options: IsoOptions): Promise<readonly SourceFile[]> {
  const out = join(options.workPath, 'from-iso');
  await mkdir(out);
  const found: SourceFile[] = [];
  for (const { name, role, origin } of options.files) {
    if (origin.kind !== 'path') throw new TypeError('a file of an ISO has a path');
    await extract(origin.path, join(out, name), options);
    found.push({ name, role, path: join(out, name) });
  }
  return found;
}

async function extract(path: string, target: string, options: IsoOptions): Promise<void> {
  const { isoPath, toolRoot } = options;
  const iso = `/iso/${basename(isoPath)}`;
  const argv = ['xorriso', '-abort_on', 'FATAL', '-osirrox', 'on', '-indev', iso];
  const mounts = [
    { source: dirname(isoPath), target: '/iso', readonly: true },
    { source: dirname(target), target: '/out' },
  ];
  const failure = {
    code: 'ISO_UNREADABLE',
    message: 'Cannot read the ISO image',
    hint: 'Is it an ISO 9660 image, and whole?',
  };
  // Its status does not tell a missing file from a warning: what counts is what it has written.
  const run = toolRoot.run([...argv, '-extract', `/${path}`, `/out/${basename(target)}`], {
    mounts,
    failure,
    ...common(options),
  });
  const said = await run.then(
    () => undefined,
    (error: unknown) => error,
  );
  options.signal?.throwIfAborted();
  const stats = await lstat(target).catch(() => undefined);
  if (stats?.isFile()) {
    // A file of an ISO is often read-only: its owner must be able to remove the copy.
    if (said === undefined) return void (await runProgram(['chmod', 'u+rw', target]));
    throw said;
  }
  const message = `Cannot take ${path} out of the ISO image: there is no such file`;
  const hint = 'xorriso -indev image.iso -find / lists what is in it';
  throw new Fault('FILE_NOT_IN_ISO', message, { hint, cause: said, retry: 'stalled' });
}
