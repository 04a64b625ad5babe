import { open } from 'node:fs/promises';
import { join } from 'node:path';
import type { Arch } from '#bundle/manifest.ts';
import type { Method } from '#bundle/start.ts';
import type { Store } from '../store/store.ts';
import { type Deb, fetchPackages } from './apt.ts';
import { type AptOptions, common } from './apt-directory.ts';
import { writeDebRepository } from './deb-repository.ts';
import type { LockedPackage } from './package-list.ts';
import type { PackageRequest } from './package-lock.ts';
import type { ToolRoot } from './tool-root.ts';

export interface DebianImage {
  readonly arch: Arch;
  readonly suite: string;
  /** A moment of snapshot.debian.org. */
  readonly snapshot?: string;
  readonly packages: readonly string[];
  /** `kexec`: with a kernel of its own; else a root filesystem alone. */
  readonly method: Method;
}

export interface DebianOptions extends Pick<AptOptions, 'cachePath' | 'mirror' | 'log' | 'signal'> {
  readonly image: DebianImage;
  /** From `lockPackages(debianRequest(image), …)`. */
  readonly lock: readonly LockedPackage[];
  readonly store: Store;
  readonly toolRoot: ToolRoot;
  /** An empty directory on a disk with room for the unpacked system; the caller removes it. */
  readonly workPath: string;
}

/**
 * What a node has no use for: documentation (licences stay), translations, and iconv's converters for charsets other
 * than those built into the C library (UTF-8, UTF-16, UTF-32, ASCII). See images/README.md.
 */
const excluded = [
  'path-exclude=/usr/share/doc/*',
  'path-include=/usr/share/doc/*/copyright',
  'path-exclude=/usr/share/man/*',
  'path-exclude=/usr/share/info/*',
  'path-exclude=/usr/share/locale/*',
  'path-exclude=/usr/share/i18n/*',
  'path-exclude=/usr/share/lintian/*',
  'path-exclude=/usr/share/bug/*',
  'path-exclude=/usr/lib/*/gconv/*',
] as const;

/**
 * What is asked of apt for an image: Debian's essential packages and the named ones, with all that they need; and by
 * kexec a kernel, the suite's usual one where none is named.
 */
export function debianRequest({ suite, snapshot, arch, packages, method }: DebianImage): PackageRequest {
  const lacksKernel = method === 'kexec' && !packages.some((name) => name.startsWith('linux-image-'));
  const kernel = lacksKernel ? [`linux-image-${arch}`] : [];
  return {
    suite,
    ...(snapshot !== undefined && { snapshot }),
    arch,
    packages: ['?essential', ...packages, ...kernel],
    dependencies: true,
  };
}

/** The files of this program that the bytes of such an image depend on. @see recipeOf */
export const debianRecipe = ['debian', 'deb-repository'] as const;

/**
 * Makes the tree `root` in the work directory from exactly the locked packages. The same lock gives the same tree.
 * @returns the date of the newest package: files that the build makes get it, so that it depends on the lock alone
 * @throws Fault `DEBIAN_BUILD_FAILED`, `PACKAGE_FETCH_FAILED`, `PACKAGE_DIGEST_MISMATCH`
 */
export async function obtainDebianTree(options: DebianOptions): Promise<{ readonly epoch: number }> {
  const { image, lock, store, workPath } = options;
  const { suite, arch, snapshot } = image;
  const debs = await fetchPackages(lock, {
    ...options,
    suite,
    arch,
    ...(snapshot !== undefined && { snapshot }),
    store,
  });
  const epoch = await newestDate(debs);
  await writeDebRepository(debs, join(workPath, 'debs'), { suite, signal: options.signal });
  await install(options, epoch);
  return { epoch };
}

async function install(options: DebianOptions, epoch: number): Promise<void> {
  const { image, lock, workPath } = options;
  const include = lock.map((one) => one.name).join(',');
  const dpkg = ['force-unsafe-io', ...excluded].map((one) => `--dpkgopt=${one}`);
  const variant = ['--mode=root', '--variant=essential', '--format=directory', `--architectures=${image.arch}`];
  const source = 'deb [trusted=yes] copy:/work/debs ./';
  const argv = ['mmdebstrap', ...variant, ...dpkg, `--include=${include}`, image.suite, '/work/root', source];
  await options.toolRoot.run(argv, {
    // A kernel's package would make an initramfs that nothing reads, which takes longer than all the rest.
    env: { SOURCE_DATE_EPOCH: String(epoch), TMPDIR: '/work', INITRD: 'No' },
    mounts: [{ source: workPath, target: '/work' }],
    failure: { code: 'DEBIAN_BUILD_FAILED', message: `Cannot install the ${lock.length} packages of the image` },
    ...common(options),
  });
}

/**
 * Seconds since 1970 of the newest package. It stands in the header of an archive's first member (ar(5): 8 bytes, then 16 of name and 12 of time).
 */
async function newestDate(debs: readonly Deb[]): Promise<number> {
  let newest = 0;
  for (const { path } of debs) {
    const file = await open(path);
    const { buffer } = await file.read(Buffer.alloc(36), 0, 36, 0).finally(() => file.close());
    newest = Math.max(newest, Number(buffer.toString('latin1', 24, 36).trim()) || 0);
  }
  return newest;
}
