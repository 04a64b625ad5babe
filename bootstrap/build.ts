import { mkdir, readFile, realpath, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Release } from '#bundle/catalog.ts';
import type { Digest } from '#bundle/digest.ts';
import type { Arch } from '#bundle/manifest.ts';
import { formatPublicKey, type PublicKey } from '#bundle/signature.ts';
import { type BuiltBootstrap, keptRelease } from '#pipeline/build.ts';
import { packBundle } from '#pipeline/pack.ts';
import { extractPackages, fetchPackages } from '#pipeline/source/apt.ts';
import { type Kernel, kernelRequest, obtainKernel } from '#pipeline/source/kernel.ts';
import { type LockOptions, lockPackages } from '#pipeline/source/lock.ts';
import type { LockedPackage } from '#pipeline/source/package-list.ts';
import type { SourceFile } from '#pipeline/source/source.ts';
import { makeSquashfs } from '#pipeline/source/squashfs.ts';
import type { ToolRoot } from '#pipeline/source/tool-root.ts';
import { digestOf } from '#store/digest.ts';
import { bundleAgent } from './bundle-agent.ts';
import * as contents from './contents.ts';
import { drivers, mountModules } from './drivers.ts';
import { initramfsTree, makeInitramfs, scriptPath, scripts } from './initramfs.ts';
import { extraFolders, splitModules } from './module-parts.ts';
import { isUnpackedForQemu, makeQemuPart, qemuContents, qemuPackages } from './qemu-part.ts';
import { checkBudget, formatSizes, measureSizes, type SizeRow } from './sizes.ts';

export interface BootstrapOptions extends Omit<LockOptions, 'lockFile'> {
  readonly arch: Arch;
  readonly toolRoot: ToolRoot;
  /** Who may sign a catalog for these nodes. They are inside the bootstrap: another key is another bootstrap. */
  readonly publicKeys: readonly PublicKey[];
  /** Build although the store has a result of the same inputs. Default: false. */
  readonly anew?: boolean;
}

/** With what each part of kernel and initramfs costs. */
export interface MeasuredBootstrap extends BuiltBootstrap {
  readonly sizes: readonly SizeRow[];
}

/** Rises when the same inputs give other bytes, because a step of the build was changed. */
const recipe = 3;

/** Everything that the bytes of the bootstrap depend on, locked. */
interface Inputs {
  readonly agent: string;
  readonly kernelLock: readonly LockedPackage[];
  readonly packages: readonly LockedPackage[];
  /** Of the part `qemu`; empty where there is none. */
  readonly qemu: readonly LockedPackage[];
  readonly digest: Digest;
}

/**
 * The bootstrap as bundles: kernel, initramfs and iPXE's boot programs in one, which firmware fetches; and its parts,
 * which go through the swarm when an image needs them. Built from Debian's packages unless the store has it from the same inputs; the
 * same inputs give the same bytes.
 * @throws Fault `BOOTSTRAP_TOO_LARGE`, `MODULE_UNKNOWN`, `LIBRARY_MISSING`, `INITRAMFS_FAILED`, those of apt and the kernel
 */
export async function buildBootstrap(options: BootstrapOptions): Promise<MeasuredBootstrap> {
  const { store, anew = false } = options;
  const inputs = await gather(options);
  const kept = anew ? undefined : await keptBootstrap(options, await store.readBuild(inputs.digest));
  if (kept) return kept;
  const workPath = await store.workDirectory();
  try {
    const built = await build(inputs, options, workPath);
    await store.writeBuild(inputs.digest, built);
    return built;
  } finally {
    await rm(workPath, { recursive: true, force: true });
  }
}

/** The bootstrap that {@link buildBootstrap} would give without building; undefined: it would build. */
export async function findBootstrap(options: BootstrapOptions): Promise<MeasuredBootstrap | undefined> {
  const { digest } = await gather(options);
  return keptBootstrap(options, await options.store.readBuild(digest));
}

async function keptBootstrap({ store }: BootstrapOptions, kept: unknown): Promise<MeasuredBootstrap | undefined> {
  const { bootstrap, parts, sizes } = (kept ?? {}) as Readonly<Record<string, unknown>>;
  const release = await keptRelease(store, bootstrap);
  const others = await Promise.all((Array.isArray(parts) ? parts : []).map((part) => keptRelease(store, part)));
  const found = others.flatMap((part) => part ?? []);
  if (!release || found.length !== others.length) return undefined;
  return { bootstrap: release, parts: found, sizes: sizes as readonly SizeRow[] };
}

async function gather(options: BootstrapOptions): Promise<Inputs> {
  const { arch, publicKeys, toolRoot } = options;
  if (publicKeys.length === 0) throw new TypeError('publicKeys must not be empty: such a node would boot nothing');
  const request = { suite: contents.suite, arch, packages: contents.packages, dependencies: true };
  const kernelLock = await lockPackages(kernelRequest({ suite: contents.suite, arch }), options);
  const packages = (await lockPackages(request, options)).filter(({ name }) => contents.isUnpacked(name));
  const qemu = await qemuLock(options);
  const agent = await bundleAgent();
  const digest = digestOf(
    JSON.stringify({
      recipe,
      arch,
      agent,
      packages: [...packages, ...qemu].map(({ sha256 }) => sha256),
      kernel: kernelLock.filter(({ name }) => name.startsWith('linux-image-')).map(({ sha256 }) => sha256),
      keys: publicKeys.map(formatPublicKey).toSorted(),
      scripts: await Promise.all(Object.keys(scripts).map((name) => readFile(scriptPath(name), 'utf8'))),
      contents: [contents.programs, contents.survivors, contents.stubs, contents.bootPrograms, scripts],
      modules: [drivers, mountModules, extraFolders],
      ...(qemu.length > 0 && { qemuContents }),
      tools: Object.entries(toolRoot.versions).toSorted(),
    }),
  );
  return { agent, kernelLock, packages, qemu, digest };
}

/** QEMU for machines of other processors is not packed yet: an image that needs it says so. */
async function qemuLock(options: BootstrapOptions): Promise<readonly LockedPackage[]> {
  const { arch } = options;
  if (arch !== 'amd64') return [];
  const locked = await lockPackages(
    { suite: contents.suite, arch, packages: qemuPackages, dependencies: true },
    options,
  );
  return locked.filter(({ name }) => isUnpackedForQemu(name));
}

async function build(inputs: Inputs, options: BootstrapOptions, workPath: string): Promise<MeasuredBootstrap> {
  const { arch, publicKeys } = options;
  const apt = { ...options, suite: contents.suite };
  const kernelPath = join(workPath, 'kernel');
  const packagesPath = join(workPath, 'packages');
  await mkdir(kernelPath);
  const kernel = await obtainKernel({ ...apt, lock: inputs.kernelLock, workPath: kernelPath });
  await extractPackages(await fetchPackages(inputs.packages, apt), packagesPath, options);
  // The date of the kernel's package, the newest thing that is surely in there: it does not depend on today.
  const epoch = Math.floor((await stat(kernel.vmlinuzPath)).mtimeMs / 1000);
  const common = { ...options, epoch, kernel, workPath };
  const initramfsPath = await makeInitramfs({ ...common, packagesPath, agent: inputs.agent, publicKeys });
  const files: readonly SourceFile[] = [
    { name: 'vmlinuz', role: 'kernel', path: kernel.vmlinuzPath },
    { name: 'initramfs', role: 'initrd', path: initramfsPath },
    ...(await bootPrograms(arch, packagesPath)),
  ];
  const sizes = await measureSizes({ arch, kernel, packagesPath, tree: initramfsTree(workPath), initramfsPath });
  for (const line of formatSizes(sizes)) options.log?.(`bootstrap: ${line}`);
  checkBudget(sizes, contents.budgetBytes);
  const about = { arch, kernelRelease: kernel.release } as const;
  const bootstrap = await packBundle(options.store, { kind: 'bootstrap', name: 'bootstrap', ...about, files });
  return { bootstrap, parts: [...(await packQemu(inputs, common)), ...(await packModules(common))], sizes };
}

interface PartOptions extends BootstrapOptions {
  readonly epoch: number;
  readonly kernel: Kernel;
  readonly workPath: string;
}

async function packQemu({ qemu }: Inputs, options: PartOptions): Promise<readonly Release[]> {
  if (qemu.length === 0) return [];
  const { arch, kernel, store, workPath } = options;
  const packagesPath = join(workPath, 'qemu-packages');
  const apt = { ...options, suite: contents.suite };
  await extractPackages(await fetchPackages(qemu, apt), packagesPath, options);
  const path = await makeQemuPart({ ...options, packagesPath });
  const files = [{ name: 'qemu.squashfs', role: 'tools', path }] as const;
  return [await packBundle(store, { kind: 'part', name: 'qemu', arch, kernelRelease: kernel.release, files })];
}

/** The kernel's modules, in two parts: moved out of the kernel's tree, so that this must come last. */
async function packModules(options: PartOptions): Promise<readonly Release[]> {
  const { arch, kernel, epoch, workPath, store, toolRoot } = options;
  const extraPath = join(workPath, 'modules-extra');
  await splitModules(kernel.modulesPath, extraPath);
  const parts: Release[] = [];
  for (const [name, tree] of Object.entries({ modules: kernel.modulesPath, 'modules-extra': extraPath })) {
    const file = `${name}.squashfs`;
    // The modules are compressed by xz already: zstd's fastest level is for the 6 MB of indexes beside them.
    const packing = { compression: 'zstd', level: 1, epoch, isRootOwned: true } as const;
    await makeSquashfs(toolRoot, tree, join(workPath, file), packing);
    const files = [{ name: file, role: 'modules', path: join(workPath, file) }] as const;
    parts.push(await packBundle(store, { kind: 'part', name, arch, kernelRelease: kernel.release, files }));
  }
  return parts;
}

/** Some are links to a file that is named after the processor. */
function bootPrograms(arch: Arch, packagesPath: string): Promise<readonly SourceFile[]> {
  const folder = join(packagesPath, 'usr/lib/ipxe');
  return Promise.all(
    contents.bootPrograms[arch].map(async (name) => ({ name, role: 'nbp', path: await realpath(join(folder, name)) })),
  );
}
