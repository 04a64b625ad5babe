import { readdir, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { Fault } from '#bundle/fault.ts';
import type { Arch } from '#bundle/manifest.ts';
import type { Store } from '../store/store.ts';
import { extractPackages, fetchPackages } from './apt.ts';
import { type AptOptions, common } from './apt-directory.ts';
import type { LockedPackage } from './package-list.ts';
import type { PackageRequest } from './package-lock.ts';
import type { ToolRoot } from './tool-root.ts';

export interface KernelOptions extends AptOptions {
  /** From `lockPackages(kernelRequest(…), …)`. */
  readonly lock: readonly LockedPackage[];
  readonly store: Store;
  readonly toolRoot: ToolRoot;
  /** An empty directory; the caller removes it. */
  readonly workPath: string;
}

export interface Kernel {
  /** `uname -r`. */
  readonly release: string;
  readonly vmlinuzPath: string;
  /**
   * The directory of the modules with modules.dep and its like, what belongs at /lib/modules/<release>. Modules are
   * `.ko.xz`: packed as they are they make a squashfs of 94 MB in 1 s, unpacked and packed by zstd 98 MB in 30 s.
   */
  readonly modulesPath: string;
}

/** Debian's kernel of a suite. The lock also has what that depends on, which is never fetched. */
export function kernelRequest({ suite, arch }: { readonly suite: string; readonly arch: Arch }): PackageRequest {
  return { suite, arch, packages: [`linux-image-${arch}`], dependencies: true };
}

/** Fetches and unpacks the locked kernel. @throws Fault `KERNEL_UNREADABLE` and those of {@link fetchPackages} */
export async function obtainKernel(options: KernelOptions): Promise<Kernel> {
  const { lock, workPath, toolRoot } = options;
  const own = lock.filter(({ name }) => /^linux-image-[0-9]/.test(name));
  const debs = await fetchPackages(own, options);
  await extractPackages(debs, workPath, common(options));
  const [release, ...more] = await readdir(join(workPath, 'usr/lib/modules')).catch(() => []);
  if (release === undefined || more.length > 0) {
    throw new Fault('KERNEL_UNREADABLE', `Cannot use the kernel: expected one package with modules, got ${own.length}`);
  }
  // depmod looks below lib, which in Debian 13 is a link made by another package.
  await symlink('usr/lib', join(workPath, 'lib'));
  await toolRoot.run(['depmod', '--basedir', '/work', release], {
    mounts: [{ source: workPath, target: '/work' }],
    ...common(options),
  });
  return {
    release,
    vmlinuzPath: join(workPath, 'boot', `vmlinuz-${release}`),
    modulesPath: join(workPath, 'usr/lib/modules', release),
  };
}
