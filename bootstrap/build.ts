import { mkdir, readFile, realpath, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Release } from '#bundle/catalog.ts';
import type { Digest } from '#bundle/digest.ts';
import { Fault } from '#bundle/fault.ts';
import type { Arch } from '#bundle/manifest.ts';
import { formatPublicKey, type PublicKey } from '#bundle/signature.ts';
import { keptRelease } from '#pipeline/build.ts';
import { packBundle } from '#pipeline/pack.ts';
import { extractPackages, fetchPackages } from '#pipeline/source/apt.ts';
import { kernelRequest, obtainKernel } from '#pipeline/source/kernel.ts';
import { type LockOptions, lockPackages } from '#pipeline/source/lock.ts';
import type { LockedPackage } from '#pipeline/source/package-list.ts';
import type { SourceFile } from '#pipeline/source/source.ts';
import { makeSquashfs } from '#pipeline/source/squashfs.ts';
import type { ToolRoot } from '#pipeline/source/tool-root.ts';
import { digestOf } from '#store/digest.ts';
import { bundleAgent } from './bundle-agent.ts';
import * as contents from './contents.ts';
import { makeInitramfs, scriptPath, scripts } from './initramfs.ts';

export interface BootstrapOptions extends Omit<LockOptions, 'lockFile'> {
  readonly arch: Arch;
  readonly toolRoot: ToolRoot;
  /** Who may sign a catalog for these nodes. They are inside the bootstrap: another key is another bootstrap. */
  readonly publicKeys: readonly PublicKey[];
  /** Build although the store has a result of the same inputs. Default: false. */
  readonly anew?: boolean;
}

/** Rises when the same inputs give other bytes, because a step of the build was changed. */
const recipe = 1;

/** Everything that the bytes of the bootstrap depend on, locked. */
interface Inputs {
  readonly agent: string;
  readonly kernelLock: readonly LockedPackage[];
  readonly packages: readonly LockedPackage[];
  readonly digest: Digest;
}

/**
 * The bootstrap as a bundle: kernel, initramfs, iPXE's boot programs, and a squashfs with all of the kernel's modules,
 * which alone goes through the swarm. Built from Debian's packages unless the store has it from the same inputs; the
 * same inputs give the same bytes.
 * @throws Fault `BOOTSTRAP_TOO_LARGE`, `MODULE_UNKNOWN`, `LIBRARY_MISSING`, `INITRAMFS_FAILED`, those of apt and the kernel
 */
export async function buildBootstrap(options: BootstrapOptions): Promise<Release> {
  const { store, anew = false } = options;
  const inputs = await gather(options);
  const kept = anew ? undefined : await keptRelease(store, await store.readBuild(inputs.digest));
  if (kept) return kept;
  const workPath = await store.workDirectory();
  try {
    const release = await build(inputs, options, workPath);
    await store.writeBuild(inputs.digest, release);
    return release;
  } finally {
    await rm(workPath, { recursive: true, force: true });
  }
}

async function gather(options: BootstrapOptions): Promise<Inputs> {
  const { arch, publicKeys, toolRoot } = options;
  if (publicKeys.length === 0) throw new TypeError('publicKeys must not be empty: such a node would boot nothing');
  const request = { suite: contents.suite, arch, packages: contents.packages, dependencies: true };
  const kernelLock = await lockPackages(kernelRequest({ suite: contents.suite, arch }), options);
  const packages = (await lockPackages(request, options)).filter(({ name }) => contents.isUnpacked(name));
  const agent = await bundleAgent();
  const digest = digestOf(
    JSON.stringify({
      recipe,
      arch,
      agent,
      packages: packages.map(({ sha256 }) => sha256),
      kernel: kernelLock.filter(({ name }) => name.startsWith('linux-image-')).map(({ sha256 }) => sha256),
      keys: publicKeys.map(formatPublicKey).toSorted(),
      scripts: await Promise.all(Object.keys(scripts).map((name) => readFile(scriptPath(name), 'utf8'))),
      contents: [contents.programs, contents.survivors, contents.modules, contents.bootPrograms, scripts],
      tools: Object.entries(toolRoot.versions).toSorted(),
    }),
  );
  return { agent, kernelLock, packages, digest };
}

async function build(inputs: Inputs, options: BootstrapOptions, workPath: string): Promise<Release> {
  const { arch, store, toolRoot, publicKeys } = options;
  const apt = { ...options, suite: contents.suite };
  const kernelPath = join(workPath, 'kernel');
  const packagesPath = join(workPath, 'packages');
  await mkdir(kernelPath);
  const kernel = await obtainKernel({ ...apt, lock: inputs.kernelLock, workPath: kernelPath });
  await extractPackages(await fetchPackages(inputs.packages, apt), packagesPath, options);
  // The date of the kernel's package, the newest thing that is surely in there: it does not depend on today.
  const epoch = Math.floor((await stat(kernel.vmlinuzPath)).mtimeMs / 1000);
  const common = { ...options, epoch, kernel };
  const initramfs = await makeInitramfs({ ...common, packagesPath, agent: inputs.agent, publicKeys, workPath });
  const modules = join(workPath, 'modules.squashfs');
  // The modules are compressed by xz already: zstd's fastest level is for the 6 MB of indexes beside them.
  const packing = { compression: 'zstd', level: 1, epoch, isRootOwned: true } as const;
  await makeSquashfs(toolRoot, kernel.modulesPath, modules, packing);
  const files: readonly SourceFile[] = [
    { name: 'vmlinuz', role: 'kernel', path: kernel.vmlinuzPath },
    { name: 'initramfs', role: 'initrd', path: initramfs },
    { name: 'modules.squashfs', role: 'modules', path: modules },
    ...(await bootPrograms(arch, packagesPath)),
  ];
  await checkBudget(files, options);
  const about = { kind: 'bootstrap', name: 'bootstrap', arch, kernelRelease: kernel.release } as const;
  return packBundle(store, { ...about, files, swarmRoles: ['modules'] });
}

/** Some are links to a file that is named after the processor. */
function bootPrograms(arch: Arch, packagesPath: string): Promise<readonly SourceFile[]> {
  const folder = join(packagesPath, 'usr/lib/ipxe');
  return Promise.all(
    contents.bootPrograms[arch].map(async (name) => ({ name, role: 'nbp', path: await realpath(join(folder, name)) })),
  );
}

/** Every node loads kernel and initramfs from the server alone. @throws Fault `BOOTSTRAP_TOO_LARGE` */
async function checkBudget(files: readonly SourceFile[], { log }: BootstrapOptions): Promise<void> {
  let totalBytes = 0;
  for (const { name, role, path } of files) {
    const { size } = await stat(path);
    log?.(`bootstrap: ${name} ${(size / 1e6).toFixed(2)} MB`);
    if (role === 'kernel' || role === 'initrd') totalBytes += size;
  }
  log?.(`bootstrap: kernel and initramfs ${(totalBytes / 1e6).toFixed(2)} MB of ${contents.budgetBytes / 1e6} MB`);
  if (totalBytes <= contents.budgetBytes) return;
  const message = `Cannot use the bootstrap: kernel and initramfs have ${totalBytes} bytes, at most ${contents.budgetBytes}`;
  throw new Fault('BOOTSTRAP_TOO_LARGE', message, { hint: 'Take something out of bootstrap/contents.ts' });
}
