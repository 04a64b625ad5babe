import { mkdir, readdir, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { Fault } from '#bundle/fault.ts';
import { digestOfFile } from '../store/digest.ts';
import type { Store } from '../store/store.ts';
import { type AptDirectory, type AptOptions, common, openAptDirectory } from './apt-directory.ts';
import type { TarLimits } from './checked-tar.ts';
import { type LockedPackage, parsePrintedUris } from './package-list.ts';
import { runProgram } from './program.ts';
import { unpackPackage } from './unpack-package.ts';

export interface ResolveOptions extends AptOptions {
  /** Package names, or apt's patterns (`?essential`), or `name=version`. */
  readonly packages: readonly string[];
  /** `false`: exactly the named packages, for taking files out of them. Default: with all that they depend on. */
  readonly dependencies?: boolean;
}

/** A package file that was checked against its lock. */
export interface Deb {
  readonly package: LockedPackage;
  readonly path: string;
}

/**
 * The exact packages that an installation of `packages` into an empty system needs, without recommended ones.
 * apt checks the signatures of the archive with Debian's keys. Sorted by name.
 * @throws Fault `APT_FAILED`, `PACKAGE_UNKNOWN`, `PACKAGES_UNRESOLVED`
 */
export async function resolvePackages(options: ResolveOptions): Promise<readonly LockedPackage[]> {
  const { suite, arch, packages, dependencies = true } = options;
  for (const name of packages) checkName(name);
  const { env, mirror } = await openAptDirectory(options);
  const message = `Cannot resolve the packages ${packages.join(' ')} of ${suite} for ${arch}`;
  const failure = {
    code: 'PACKAGES_UNRESOLVED',
    message,
    hint: 'Look at apt’s words and correct the list of packages',
  };
  const argv = dependencies
    ? ['apt-get', 'install', '--yes', '--print-uris', ...packages]
    : ['apt-get', 'download', '--print-uris', ...packages];
  const run = runProgram(argv, { env, failure, ...common(options) });
  return parsePrintedUris(await run.catch(nameUnknown(suite)), mirror);
}

/**
 * Downloads packages into `directory`, as `<sha256>.deb`; those that are there already are only checked.
 * @throws Fault `PACKAGE_FETCH_FAILED`, `PACKAGE_DIGEST_MISMATCH`
 */
export async function downloadPackages(
  locked: readonly LockedPackage[],
  directory: string,
  options: AptOptions,
): Promise<readonly Deb[]> {
  await mkdir(directory, { recursive: true });
  const present = new Set(await readdir(directory));
  const debs = locked.map((one) => ({ package: one, path: join(directory, `${one.sha256}.deb`) }));
  const missing = debs.filter(({ path }) => !present.has(basename(path)));
  if (missing.length > 0) await download(missing, options);
  for (const deb of debs) await checkDeb(deb);
  return debs;
}

/**
 * The locked packages as blobs of the store; only those that it lacks are downloaded. What the store has needs no
 * network, so a build with an old lock works when the mirror has moved on.
 * @throws Fault `PACKAGE_FETCH_FAILED`, `PACKAGE_DIGEST_MISMATCH`
 */
export async function fetchPackages(
  locked: readonly LockedPackage[],
  { store, ...options }: AptOptions & { readonly store: Store },
): Promise<readonly Deb[]> {
  const unique = [...new Map(locked.map((one) => [one.sha256, one])).values()];
  const stored = await Promise.all(unique.map((one) => store.has(one.sha256)));
  const missing = unique.filter((_, index) => !stored[index]);
  if (missing.length > 0) {
    const directory = await store.workDirectory();
    try {
      for (const deb of await downloadPackages(missing, directory, options)) await store.putFile(deb.path);
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  }
  return unique.map((one) => ({ package: one, path: store.blobPath(one.sha256) }));
}

/**
 * Unpacks the files of packages into `directory`, which need not exist; no script of theirs is run.
 * @throws Fault `PACKAGE_UNREADABLE`, those of {@link checkedTar}
 */
export async function extractPackages(
  debs: readonly Deb[],
  directory: string,
  options: Pick<AptOptions, 'log' | 'signal'> & TarLimits = {},
): Promise<void> {
  await mkdir(directory, { recursive: true });
  for (const deb of debs) {
    await unpackPackage({ name: deb.package.name, path: deb.path }, directory, options);
  }
}

async function download(debs: readonly Deb[], options: AptOptions): Promise<void> {
  const { mirror, env } = await openAptDirectory(options);
  const bytes = debs.reduce((sum, deb) => sum + deb.package.sizeBytes, 0);
  options.log?.(`apt: downloading ${debs.length} packages, ${(bytes / 1e6).toFixed(1)} MB`);
  const triples = debs.flatMap((deb) => [uriOf(deb.package, mirror), deb.path, `SHA256:${deb.package.sha256}`]);
  const failure = {
    code: 'PACKAGE_FETCH_FAILED',
    message: `Cannot download ${debs.length} packages from ${mirror.debian}`,
    hint: 'The mirror may have replaced a locked version: resolve the packages again, or use a mirror that keeps it',
  };
  await runProgram(['/usr/lib/apt/apt-helper', '-q=2', 'download-file', ...triples], {
    env,
    failure,
    ...common(options),
  });
}

function uriOf({ archive, path, name }: LockedPackage, mirror: AptDirectory['mirror']): string {
  const root = mirror[archive];
  if (root !== undefined) return `${root}/${path.replaceAll('+', '%2b')}`;
  const hint = 'Resolve the packages again, or use a mirror of this host that has security updates';
  throw new Fault('PACKAGE_FETCH_FAILED', `Cannot download ${name}: the mirror has no ${archive}`, { hint });
}

async function checkDeb({ package: wanted, path }: Deb): Promise<void> {
  const { digest: found } = await digestOfFile(path);
  if (found === wanted.sha256) return;
  const message = `Cannot use the package ${wanted.name} ${wanted.version}: expected SHA-256 ${wanted.sha256}, got ${found}`;
  throw new Fault('PACKAGE_DIGEST_MISMATCH', message, { hint: 'Delete the file and try again', retry: 'stalled' });
}

/** Also keeps options (`-o…`) of a definition away from apt's command line. */
function checkName(name: string): void {
  if (/^(\?[a-z]+|[a-z0-9][a-z0-9+.-]+(:[a-z0-9]+)?(=[A-Za-z0-9.+~:-]+)?)$/.test(name)) return;
  throw new Fault('PACKAGE_UNKNOWN', `Cannot install ${JSON.stringify(name)}: it is no package name`, {
    hint: 'Write names as Debian does: lower case letters, digits, + - and .',
    retry: 'stalled',
  });
}

function nameUnknown(suite: string): (error: unknown) => never {
  return (error) => {
    const said = error instanceof Fault && error.cause instanceof Error ? error.cause.message : '';
    const name =
      /(?:Unable to locate package|has no installation candidate|Can't select candidate version from package) ?(\S*)/.exec(
        said,
      )?.[1];
    if (name === undefined) throw error;
    throw new Fault('PACKAGE_UNKNOWN', `Cannot install ${name || 'a package'}: ${suite} has no such package`, {
      hint: 'Look the name up on packages.debian.org',
      retry: 'stalled',
      cause: error,
    });
  };
}
