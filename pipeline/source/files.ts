import { mkdir, realpath, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Fault } from '#bundle/fault.ts';
import type { Arch } from '#bundle/manifest.ts';
import type { FileOrigin, SourceFileDefinition } from '../definition/image.ts';
import type { Store } from '../store/store.ts';
import { extractPackages, fetchPackages } from './apt.ts';
import { type AptOptions, common } from './apt-directory.ts';
import { downloadFile } from './download.ts';
import type { LockedPackage } from './package-list.ts';
import type { PackageRequest } from './package-lock.ts';
import type { SourceFile } from './source.ts';

export interface FilesOptions extends Pick<AptOptions, 'cachePath' | 'mirror' | 'log' | 'signal'> {
  readonly files: readonly SourceFileDefinition[];
  readonly arch: Arch;
  /** The packages of all {@link filesRequests}. */
  readonly lock: readonly LockedPackage[];
  /** The bytes of a file in the image's folder; throws where there is none. */
  readonly readFolder: (path: string) => Promise<Uint8Array>;
  /** Hosts whose address may be private. Default: none. */
  readonly allowedHosts?: readonly string[];
  readonly store: Store;
  /** An empty directory; the caller removes it. */
  readonly workPath: string;
}

/** What must be locked for these files: one request for each package that a file is taken out of. */
export function filesRequests(
  files: readonly Pick<SourceFileDefinition, 'origin'>[],
  arch: Arch,
): readonly PackageRequest[] {
  const wanted = files.flatMap(({ origin }) => (origin.kind === 'package' ? [origin] : []));
  const unique = new Map(wanted.map((one) => [`${one.suite} ${one.package}`, one]));
  return [...unique.values()].map((one) => ({
    suite: one.suite,
    arch,
    packages: [one.package],
    dependencies: false,
  }));
}

/**
 * Obtains files that exist already, in the order of the definition.
 * @throws Fault `FILE_NOT_IN_PACKAGE`, those of {@link downloadFile} and {@link fetchPackages}, those of `readFolder`
 */
export async function obtainFiles(options: FilesOptions): Promise<readonly SourceFile[]> {
  const found: SourceFile[] = [];
  for (const { name, role, origin } of options.files) {
    found.push({ name, role, path: await obtainOrigin(origin, join(options.workPath, name), options) });
  }
  return found;
}

/** Obtains one file: to `target`, unless it lies somewhere already. @returns where it is */
export async function obtainOrigin(
  origin: FileOrigin,
  target: string,
  options: Omit<FilesOptions, 'files'>,
): Promise<string> {
  switch (origin.kind) {
    case 'path':
      await writeFile(target, await options.readFolder(origin.path));
      return target;
    case 'url':
      return obtainUrl(origin, target, options);
    case 'package':
      return obtainFromPackage(origin, options);
    default:
      return origin satisfies never;
  }
}

async function obtainUrl(
  { url, sha256 }: Extract<FileOrigin, { kind: 'url' }>,
  target: string,
  { store, allowedHosts, log, signal }: Omit<FilesOptions, 'files'>,
): Promise<string> {
  if (await store.has(sha256)) return store.blobPath(sha256);
  log?.(`download: ${url}`);
  await downloadFile(url, target, { sha256, ...(allowedHosts && { allowedHosts }), ...(signal && { signal }) });
  return target;
}

/** Each package is unpacked once, into a directory of its own; links in it are followed, but not out of it. */
async function obtainFromPackage(
  origin: Extract<FileOrigin, { kind: 'package' }>,
  options: Omit<FilesOptions, 'files'>,
): Promise<string> {
  const own = options.lock.filter(({ name }) => name === origin.package);
  if (new Set(own.map(({ sha256 }) => sha256)).size > 1) {
    const message = `Cannot take files out of the package ${origin.package}: two versions of it are locked`;
    throw new Fault('LOCK_STALE', message, { hint: 'Name one suite for all files of a package', retry: 'stalled' });
  }
  const directory = join(options.workPath, `package ${origin.suite} ${origin.package}`);
  if ((await mkdir(directory, { recursive: true })) !== undefined) {
    const debs = await fetchPackages(own, { ...options, suite: origin.suite });
    await extractPackages(debs, directory, common(options));
  }
  const root = await realpath(directory);
  const path = await realpath(join(root, origin.path)).catch(() => '');
  if (path.startsWith(`${root}/`) && (await stat(path)).isFile()) return path;
  const { name, version } = own[0] ?? { name: origin.package, version: 'that is not locked' };
  const message = `Cannot take ${origin.path} out of the package ${name} ${version}: there is no such file`;
  const hint = 'dpkg-deb --contents lists the files of a package';
  throw new Fault('FILE_NOT_IN_PACKAGE', message, { hint, retry: 'stalled' });
}
