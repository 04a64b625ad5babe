import { mkdir, realpath, stat, utimes, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type Digest, parseDigest } from '#bundle/digest.ts';
import { Fault } from '#bundle/fault.ts';
import { digestOf } from '../store/digest.ts';
import type { Store } from '../store/store.ts';
import { type AptOptions, common } from './apt-directory.ts';
import type { ToolRoot } from './tool-root.ts';

export interface DirectoryOptions extends Pick<AptOptions, 'log' | 'signal'> {
  /** An absolute path on this machine. */
  readonly path: string;
  /** Only what is inside one of these directories may be published. */
  readonly allowed: readonly string[];
  readonly store: Store;
  readonly toolRoot: ToolRoot;
}

/** The files of this program that the bytes of such an image depend on. @see recipeOf */
export const directoryRecipe = ['directory'] as const;

/** Everything that a squashfs keeps of a tree, in an order of its own; not when it was read or copied. */
const tar =
  'tar --create --sort=name --numeric-owner --xattrs --format=pax --warning=no-file-ignored ' +
  '--pax-option=delete=atime,delete=ctime,exthdr.name=%d/PaxHeaders/%f --directory';

/**
 * A digest of everything in a tree on this machine: names, modes, owners, dates, contents, attributes. While no file has
 * changed (by size, dates and inode) it is looked up in the store.
 * @throws Fault `DIRECTORY_NOT_ALLOWED`, `DIRECTORY_UNREADABLE`
 */
export async function directoryDigest(options: DirectoryOptions): Promise<Digest> {
  const path = await allowedPath(options);
  const inside = { ...options, path };
  const listing = await readTree(
    inside,
    "find /tree -printf '%P %y %m %U %G %s %T@ %C@ %i %l\\0' | sort -z | sha256sum",
  );
  const key = digestOf(`directory ${path} ${listing}`);
  const kept = await options.store.readBuild(key);
  if (isKept(kept)) return parseDigest(kept.tree);
  const tree = parseDigest((await readTree(inside, `${tar} /tree . | sha256sum`)).slice(0, 64));
  await options.store.writeBuild(key, { tree });
  return tree;
}

/**
 * Copies a tree of this machine to `root` in the work directory.
 * @returns the date of its newest file
 * @throws Fault `DIRECTORY_CHANGED` when the copy is not what `digest` says, and those of {@link directoryDigest}
 */
export async function copyDirectory(
  options: DirectoryOptions & { readonly digest: Digest; readonly workPath: string },
): Promise<{ readonly epoch: number }> {
  const { workPath, digest } = options;
  const path = await allowedPath(options);
  await mkdir(join(workPath, 'root'));
  const copy = `${tar} /tree . | tar --extract --preserve-permissions --numeric-owner --xattrs --xattrs-include='*' --directory /work/root`;
  const newest = "find /work/root -printf '%T@\\n' | sort -n | tail -n 1";
  const said = await readTree(
    { ...options, path },
    `${copy} && ${tar} /work/root . | sha256sum && ${newest}`,
    workPath,
  );
  const [, found, epoch] = /^([0-9a-f]{64})\s.*\n([0-9]+)/s.exec(said) ?? [];
  if (found === digest) return { epoch: Number(epoch) };
  throw new Fault('DIRECTORY_CHANGED', `Cannot copy ${options.path}: it changed while it was read`, {
    hint: 'Build again once nobody writes there',
  });
}

/** Writes a tree that lies in the image's folder: regular files, owned by root, with no dates. */
export async function writeFolderTree(
  files: readonly { readonly path: string; readonly isExecutable: boolean; readonly read: () => Promise<Uint8Array> }[],
  workPath: string,
): Promise<{ readonly epoch: number }> {
  const root = join(workPath, 'root');
  await mkdir(root);
  // Git has no empty folders, and every root filesystem has these.
  for (const name of ['dev', 'proc', 'run', 'sys', 'tmp']) await mkdir(join(root, name));
  for (const { path, isExecutable, read } of files) {
    const target = join(root, path);
    await mkdir(dirname(target), { recursive: true });
    await writeFile(target, await read(), { mode: isExecutable ? 0o755 : 0o644, flag: 'wx' });
    await utimes(target, 0, 0);
  }
  return { epoch: 0 };
}

/** A commit names the path, so that it must not be able to publish what else is on this machine. */
async function allowedPath({ path, allowed }: DirectoryOptions): Promise<string> {
  const real = await realpath(path).catch((cause) => {
    const hint = 'Is the path right, and is the tree on this machine?';
    throw new Fault('DIRECTORY_UNREADABLE', `Cannot read the root tree ${path}`, { cause, hint, retry: 'stalled' });
  });
  const roots = await Promise.all(allowed.map((one) => realpath(one).catch(() => undefined)));
  const isAllowed = roots.some((root) => root !== undefined && (real === root || real.startsWith(`${root}/`)));
  if (!isAllowed) {
    const hint = `Who runs this machine allows it with sources: { directories: [${dirname(path)}] } in its own boot.config.yaml`;
    const message = `Cannot use the root tree ${path}: this machine publishes nothing from there`;
    throw new Fault('DIRECTORY_NOT_ALLOWED', message, { hint, retry: 'stalled' });
  }
  if ((await stat(real)).isDirectory()) return real;
  throw new Fault('DIRECTORY_UNREADABLE', `Cannot read the root tree ${path}: it is no directory`, {
    hint: 'Name a directory',
    retry: 'stalled',
  });
}

function readTree(options: DirectoryOptions, script: string, workPath?: string): Promise<string> {
  return options.toolRoot.run(['sh', '-c', script], {
    mounts: [
      { source: options.path, target: '/tree', readonly: true },
      ...(workPath === undefined ? [] : [{ source: workPath, target: '/work' }]),
    ],
    failure: { code: 'DIRECTORY_UNREADABLE', message: `Cannot read the root tree ${options.path}` },
    ...common(options),
  });
}

function isKept(value: unknown): value is { readonly tree: string } {
  return typeof value === 'object' && value !== null && 'tree' in value && typeof value.tree === 'string';
}
