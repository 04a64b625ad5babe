import { chmod, copyFile, mkdir, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Arch } from '#bundle/manifest.ts';
import { formatPublicKeyFile, type PublicKey } from '#bundle/signature.ts';
import type { Kernel } from '#pipeline/source/kernel.ts';
import type { LogLine } from '#pipeline/source/source.ts';
import type { ToolRoot } from '#pipeline/source/tool-root.ts';
import { libraryPlaces, modules, programs, survivors } from './contents.ts';
import { moduleClosure } from './kernel-modules.ts';
import { libraryClosure } from './libraries.ts';

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
  const tree = join(workPath, 'initramfs-tree');
  await writeTree(tree, {
    'lib/agent.js': agent,
    'etc/boottorrent/build-time': `${epoch}\n`,
    ...Object.fromEntries(publicKeys.map((key) => [`etc/boottorrent/keys/${key.keyId}.pub`, formatPublicKeyFile(key)])),
  });
  for (const [name, to] of Object.entries(scripts)) await copy(scriptPath(name), join(tree, to));
  await copyPrograms(options, tree);
  await copyModules(options, tree);
  await mkdir(join(tree, 'sbin'), { recursive: true });
  // The kernel itself calls it, for file systems and PHYs.
  await symlink('../bin/busybox', join(tree, 'sbin/modprobe'));
  return pack(options);
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

/** Programs go to /bin, libraries to /lib; and a list says which of them go on in the running OS. */
async function copyPrograms({ packagesPath, arch }: InitramfsOptions, tree: string): Promise<void> {
  const { loader, folder } = libraryPlaces[arch];
  const libraryPath = join(packagesPath, folder);
  const libraries = await libraryClosure(inPackages(programs, packagesPath), libraryPath);
  for (const path of programs) await copy(join(packagesPath, path), join(tree, 'bin', basename(path)));
  for (const name of libraries) await copy(join(libraryPath, name), join(tree, 'lib', name));
  await copy(join(libraryPath, basename(loader)), join(tree, loader));
  const kept = await libraryClosure(inPackages(survivors, packagesPath), libraryPath);
  const lines = [
    ...survivors.map((path) => `/bin/${basename(path)} bin/${basename(path)}`),
    `/${loader} lib/ld.so`,
    ...kept.map((name) => `/lib/${name} lib/${name}`),
  ];
  await writeFile(join(tree, 'etc/boottorrent/programs'), lines.map((line) => `${line}\n`).join(''));
}

function inPackages(paths: readonly string[], packagesPath: string): readonly string[] {
  return paths.map((path) => join(packagesPath, path));
}

/** Unpacked, since the whole initramfs is compressed, and with an index of their own that busybox reads. */
async function copyModules({ kernel, toolRoot, ...options }: InitramfsOptions, tree: string): Promise<void> {
  const read = (name: string) => readFile(join(kernel.modulesPath, name), 'utf8');
  const [modulesDep, builtin] = await Promise.all([read('modules.dep'), read('modules.builtin')]);
  const target = join(tree, 'lib/modules', kernel.release);
  for (const path of moduleClosure(modules, { modulesDep, builtin })) {
    await copy(join(kernel.modulesPath, path), join(target, path));
  }
  for (const name of ['modules.builtin', 'modules.order']) {
    await copy(join(kernel.modulesPath, name), join(target, name));
  }
  const script = 'find /tree/lib/modules -name "*.ko.xz" -exec xz -d {} + && depmod --basedir /tree "$0"';
  await toolRoot.run(['sh', '-c', script, kernel.release], {
    mounts: [{ source: tree, target: '/tree' }],
    ...running(options),
  });
  const needless = /\.bin$|^modules\.(builtin.*|order|devname|softdep|weakdep)$/;
  for (const name of await readdir(target)) if (needless.test(name)) await rm(join(target, name));
}

async function pack({ toolRoot, workPath, epoch, ...options }: InitramfsOptions): Promise<string> {
  const script = [
    'set -e',
    'cd /work/initramfs-tree',
    'chmod -R u=rwX,go=rX .',
    'find . -exec touch --no-dereference --date="@$0" {} +',
    'find . | LC_ALL=C sort | cpio --create --format=newc --owner=0:0 --reproducible --quiet >/work/initramfs.cpio',
    'zstd --quiet -19 -T2 /work/initramfs.cpio -o /work/initramfs',
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

async function copy(from: string, to: string): Promise<void> {
  await mkdir(dirname(to), { recursive: true });
  await copyFile(from, to);
  const isProgram = /\/(s?bin|init$)|\/lib\/ld|lib64\/|lease-script$/.test(to);
  await chmod(to, isProgram ? 0o755 : 0o644);
}
