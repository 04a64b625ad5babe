import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Arch } from '#bundle/manifest.ts';
import { formatPublicKeyFile, type PublicKey } from '#bundle/signature.ts';
import type { Kernel } from '#pipeline/source/kernel.ts';
import type { LogLine } from '#pipeline/source/source.ts';
import { makeSquashfs } from '#pipeline/source/squashfs.ts';
import type { ToolRoot } from '#pipeline/source/tool-root.ts';
import { libraryPlaces, programs, stubs, survivors } from './contents.ts';
import { drivers, mountModules } from './drivers.ts';
import { makeModuleTree } from './module-tree.ts';
import { copy, copyPrograms, librariesOf } from './programs.ts';

export interface InitramfsOptions {
  readonly arch: Arch;
  /** Where the packages are unpacked. */
  readonly packagesPath: string;
  readonly kernel: Kernel;
  /** The bundled agent. */
  readonly agent: string;
  readonly publicKeys: readonly PublicKey[];
  /** Seconds since 1970: the date of every file, and what the agent takes for the build date. */
  readonly epoch: number;
  readonly toolRoot: ToolRoot;
  /** An existing directory: the tree is made in it, and the result `initramfs`. */
  readonly workPath: string;
  readonly log?: LogLine;
  readonly signal?: AbortSignal;
}

/** Scripts that are beside this file, and where they go. */
export const scripts: Readonly<Record<string, string>> = {
  init: 'init',
  'load-drivers': 'sbin/load-drivers',
  'lease-script': 'etc/boottorrent/lease-script',
};

/**
 * Builds the initramfs and returns its path. The same inputs give the same bytes: names sorted, one date, one owner,
 * inodes numbered by cpio, modes set.
 */
export async function makeInitramfs(options: InitramfsOptions): Promise<string> {
  const { workPath, publicKeys, agent, epoch } = options;
  const tree = initramfsTree(workPath);
  await writeTree(tree, {
    'lib/agent.js': agent,
    'etc/boottorrent/build-time': `${epoch}\n`,
    ...Object.fromEntries(publicKeys.map((key) => [`etc/boottorrent/keys/${key.keyId}.pub`, formatPublicKeyFile(key)])),
  });
  for (const [name, to] of Object.entries(scripts)) await copy(scriptPath(name), join(tree, to), 0o755);
  await addPrograms(options, tree);
  await addDrivers(options, tree);
  await mkdir(join(tree, 'sbin'), { recursive: true });
  // The kernel itself calls it, for file systems and PHYs.
  await symlink('../bin/busybox', join(tree, 'sbin/modprobe'));
  return pack(options);
}

/** Where {@link makeInitramfs} has put together what it packs. */
export function initramfsTree(workPath: string): string {
  return join(workPath, 'initramfs-tree');
}

export function scriptPath(name: string): string {
  return fileURLToPath(new URL(name, import.meta.url));
}

async function writeTree(tree: string, files: Readonly<Record<string, string>>): Promise<void> {
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(tree, path)), { recursive: true });
    await writeFile(join(tree, path), text);
  }
}

/** Programs, and a list of those that go on in the running OS, with their libraries. */
async function addPrograms({ packagesPath, arch }: InitramfsOptions, tree: string): Promise<void> {
  const { loader } = libraryPlaces[arch];
  await copyPrograms(programs, tree, { packagesPath, arch, stubs });
  // Programs name the loader by its full path.
  await copy(join(tree, 'lib', basename(loader)), join(tree, loader), 0o755);
  const lines = [
    ...survivors.map((path) => `/bin/${basename(path)} bin/${basename(path)}`),
    `/${loader} lib/ld.so`,
    ...(await librariesOf(survivors, { packagesPath, arch, stubs })).map((name) => `/lib/${name} lib/${name}`),
  ];
  await writeFile(join(tree, 'etc/boottorrent/programs'), lines.map((line) => `${line}\n`).join(''));
}

/**
 * All drivers as a squashfs: a machine unpacks the few that it has devices for, and the others cost it neither seconds
 * nor RAM. The modules that it takes to mount that lie beside it.
 */
async function addDrivers(options: InitramfsOptions, tree: string): Promise<void> {
  const { workPath, toolRoot, epoch } = options;
  const driverTree = join(workPath, 'driver-tree');
  await makeModuleTree(tree, mountModules, options);
  await makeModuleTree(driverTree, Object.values(drivers).flat(), options);
  const packing = { compression: 'xz', blockBytes: 1024 * 1024, epoch, isRootOwned: true } as const;
  const out = join(tree, 'lib/modules.squashfs');
  await makeSquashfs(toolRoot, join(driverTree, 'lib/modules'), out, { ...packing, ...running(options) });
}

async function pack({ toolRoot, workPath, epoch, ...options }: InitramfsOptions): Promise<string> {
  const script = [
    'set -e',
    'cd /work/initramfs-tree',
    'chmod -R u=rwX,go=rX .',
    'find . -exec touch --no-dereference --date="@$0" {} +',
    'find . | LC_ALL=C sort | cpio --create --format=newc --owner=0:0 --reproducible --quiet >/work/initramfs.cpio',
    'zstd --quiet --ultra -22 /work/initramfs.cpio -o /work/initramfs',
  ];
  await toolRoot.run(['sh', '-c', script.join('\n'), String(epoch)], {
    mounts: [{ source: workPath, target: '/work' }],
    failure: { code: 'INITRAMFS_FAILED', message: 'Cannot pack the initramfs' },
    ...running(options),
  });
  return join(workPath, 'initramfs');
}

function running({ log, signal }: Pick<InitramfsOptions, 'log' | 'signal'>) {
  return { ...(log && { log }), ...(signal && { signal }) };
}
