import { open, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Digest } from '#bundle/digest.ts';
import { Fault } from '#bundle/fault.ts';
import type { Arch } from '#bundle/manifest.ts';
import type { Method } from '#bundle/start.ts';
import { digestOf } from '../store/digest.ts';
import type { Store } from '../store/store.ts';
import { type Deb, fetchPackages } from './apt.ts';
import { type AptOptions, common } from './apt-directory.ts';
import { writeDebRepository } from './deb-repository.ts';
import { makeKexecStage, stagedInitrdName, writeStagedInitrd } from './kexec-root.ts';
import type { LockedPackage } from './package-list.ts';
import type { PackageRequest } from './package-lock.ts';
import type { SourceFile } from './source.ts';
import { makeSquashfs } from './squashfs.ts';
import type { ToolRoot } from './tool-root.ts';

export interface DebianImage {
  readonly arch: Arch;
  readonly suite: string;
  readonly packages: readonly string[];
  /** `kexec`: with a kernel of its own; else a root filesystem alone. */
  readonly method: Method;
}

export interface DebianOptions extends Pick<AptOptions, 'cachePath' | 'mirror' | 'log' | 'signal'> {
  readonly image: DebianImage;
  /** From `lockPackages(debianRequest(image), …)`. */
  readonly lock: readonly LockedPackage[];
  /** With `kexec`: from `lockPackages(stageRequest(image), …)`. */
  readonly stageLock?: readonly LockedPackage[];
  /** A tar of the files to be laid over the root filesystem. */
  readonly overlayTar?: Uint8Array;
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
export function debianRequest({ suite, arch, packages, method }: DebianImage): PackageRequest {
  const lacksKernel = method === 'kexec' && !packages.some((name) => name.startsWith('linux-image-'));
  const kernel = lacksKernel ? [`linux-image-${arch}`] : [];
  return { suite, arch, packages: ['?essential', ...packages, ...kernel], dependencies: true };
}

/**
 * A digest of how this source works: a part of the inputs of every image that is built by it. It is that of the
 * program's text, because a number to be raised by hand would be forgotten.
 */
export async function debianRecipe({ method }: Pick<DebianImage, 'method'>): Promise<Digest> {
  const stage = ['kexec-root.ts', 'newc.ts', 'kexec-stage/init', 'kexec-stage/make.sh'];
  const files = ['debian.ts', 'deb-repository.ts', 'scrub.sh', 'squashfs.ts', ...(method === 'kexec' ? stage : [])];
  return digestOf((await Promise.all(files.map((file) => readFile(recipePath(file), 'utf8')))).join('\0'));
}

/**
 * Builds a root filesystem from exactly the locked packages, lays the overlay over it, takes out everything that must
 * differ between nodes, and packs it as `rootfs.squashfs`; for kexec as `vmlinuz` and an initrd with that squashfs in
 * it. The same inputs give the same bytes.
 * @throws Fault `DEBIAN_BUILD_FAILED`, `OVERLAY_INVALID`, `PRIVATE_KEY_IN_IMAGE`, `SQUASHFS_FAILED`,
 *   `PACKAGE_FETCH_FAILED`, `PACKAGE_DIGEST_MISMATCH`, and those of {@link makeKexecStage}
 */
export async function obtainDebian(options: DebianOptions): Promise<readonly SourceFile[]> {
  const { image, lock, store, toolRoot, workPath, overlayTar } = options;
  const debs = await fetchPackages(lock, { ...options, suite: image.suite, arch: image.arch, store });
  const epoch = await newestDate(debs);
  await writeDebRepository(debs, join(workPath, 'debs'), { suite: image.suite, signal: options.signal });
  await install(options, epoch);
  if (overlayTar) await applyOverlay(options, overlayTar);
  await scrub(options);
  const isKexec = image.method === 'kexec';
  if (isKexec) {
    const { stageLock = [] } = options;
    await makeKexecStage({ ...options, stageLock, epoch, suite: image.suite, arch: image.arch });
  }
  const squashfs = join(workPath, 'rootfs.squashfs');
  await makeSquashfs(toolRoot, join(workPath, 'root'), squashfs, { epoch, ...common(options) });
  if (!isKexec) return [{ name: 'rootfs.squashfs', role: 'rootfs', path: squashfs }];
  const out = join(workPath, stagedInitrdName);
  await writeStagedInitrd({ stage: join(workPath, 'stage'), squashfs, out }, epoch);
  return [
    { name: 'vmlinuz', role: 'kernel', path: join(workPath, 'vmlinuz') },
    { name: stagedInitrdName, role: 'initrd', path: out },
  ];
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

/** By the image's own tar in the image's own root: an absolute link in there (/var/run) leads to the right place. */
async function applyOverlay(options: DebianOptions, overlayTar: Uint8Array): Promise<void> {
  await writeFile(join(options.workPath, 'overlay.tar'), overlayTar);
  const extract = 'exec chroot /work/root tar --extract --keep-directory-symlink --numeric-owner --file=-';
  await options.toolRoot.run(['sh', '-c', `${extract} </work/overlay.tar`], {
    mounts: [{ source: options.workPath, target: '/work' }],
    failure: { code: 'OVERLAY_INVALID', message: 'Cannot lay the overlay over the root filesystem' },
    ...common(options),
  });
}

async function scrub(options: DebianOptions): Promise<void> {
  const run = options.toolRoot.run(['sh', '/recipe/scrub.sh', '/work/root'], {
    mounts: [
      { source: options.workPath, target: '/work' },
      { source: dirname(recipePath('scrub.sh')), target: '/recipe', readonly: true },
    ],
    ...common(options),
  });
  await run.catch((cause) => {
    if (!(cause instanceof Fault)) throw cause;
    const said = cause.cause instanceof Error ? cause.cause.message : '';
    const key = /private key: (.*)/.exec(said)?.[1];
    if (key === undefined) throw new Fault('DEBIAN_BUILD_FAILED', 'Cannot clean the root filesystem', { cause });
    const hint = 'Every node would have the same key, and everyone who may download it: make it at the node’s start';
    const message = `Cannot publish the root filesystem: /${key} is a private key`;
    throw new Fault('PRIVATE_KEY_IN_IMAGE', message, { hint, cause, retry: 'stalled' });
  });
}

/**
 * Seconds since 1970 of the newest package: files that the build makes get this date, so that it depends on the lock
 * alone. It stands in the header of an archive's first member (ar(5): 8 bytes, then 16 of name and 12 of time).
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

function recipePath(name: string): string {
  return fileURLToPath(new URL(name, import.meta.url));
}
