import { type Digest, parseDigest } from '#bundle/digest.ts';
import { Fault } from '#bundle/fault.ts';
import { type LockedPackage, sortPackages } from './package-list.ts';

/** What a list of packages was asked for with: a lock serves only the same question. */
export interface PackageRequest {
  readonly suite: string;
  /** A moment of snapshot.debian.org (`20261101T000000Z`). Absent: the mirror as it is. */
  readonly snapshot?: string;
  readonly arch: string;
  readonly packages: readonly string[];
  /** `false`: the named packages alone. */
  readonly dependencies: boolean;
}

/** The exact answer, as `image.lock` or the store keeps it. */
export interface PackageLock {
  readonly request: PackageRequest;
  readonly packages: readonly LockedPackage[];
}

const title = '# boottorrent packages';

/** The text of an `image.lock`: a first line with the request of each part, then a line a package. */
export function formatLock(locks: readonly PackageLock[]): string {
  return locks.map(formatPart).join('\n');
}

/** Deterministic: the order in which packages are named makes no difference. */
export function formatRequest({ suite, snapshot, arch, packages, dependencies }: PackageRequest): string {
  const names = packages.toSorted().join(' ');
  return `${title}: ${suite}${snapshot === undefined ? '' : `@${snapshot}`} ${arch} ${dependencies ? 'with dependencies' : 'alone'}: ${names}`;
}

/**
 * The packages that a lock file holds for a request.
 * @param file how the lock is named in messages
 * @throws Fault `LOCK_INVALID`, or `LOCK_STALE` when it holds nothing for this request; with the line
 */
export function findLocked(text: string, request: PackageRequest, file: string): readonly LockedPackage[] {
  const lines = text.split('\n').map((line) => line.trimEnd());
  const start = lines.indexOf(formatRequest(request));
  const location = (index: number) => ({ file, line: index + 1, column: 1 });
  if (start < 0) {
    const message = `Cannot use the lock: it is for another list of packages than ${request.packages.join(', ')}`;
    const hint = 'Delete image.lock, or write it anew, in the commit that changes the packages';
    throw new Fault('LOCK_STALE', message, { hint, location: location(0), retry: 'stalled' });
  }
  const rest = lines.slice(start + 1);
  const end = rest.findIndex((line) => line.startsWith('# boottorrent '));
  const own = end < 0 ? rest : rest.slice(0, end);
  const packages = own.flatMap((line, index) =>
    line === '' || line.startsWith('#') ? [] : [parsePackage(line, location(start + 1 + index))],
  );
  return sortPackages(packages);
}

function formatPart({ request, packages }: PackageLock): string {
  const lines = sortPackages(packages).map(
    ({ name, version, arch, sha256, sizeBytes, archive, path }) =>
      `${name}=${version} ${arch} sha256:${sha256} ${sizeBytes} ${archive} ${path}`,
  );
  return `${[formatRequest(request), ...lines].join('\n')}\n`;
}

function parsePackage(line: string, location: { file: string; line: number; column: number }): LockedPackage {
  const form =
    /^([a-z0-9][a-z0-9+.-]*)=([A-Za-z0-9.+~:-]+) ([a-z0-9]+) sha256:([0-9a-f]{64}) ([0-9]{1,12}) (debian|debian-security) (pool\/[A-Za-z0-9.+~:_/-]+\.deb)$/;
  const [, name = '', version = '', arch = '', sha256, size, archive, path = ''] = form.exec(line) ?? [];
  if (!name || path.includes('..')) {
    const message = `Cannot read the lock: expected name=version arch sha256:… bytes archive path, got ${JSON.stringify(line.slice(0, 100))}`;
    throw new Fault('LOCK_INVALID', message, { location, retry: 'stalled' });
  }
  const digest: Digest = parseDigest(sha256);
  return {
    name,
    version,
    arch,
    sha256: digest,
    sizeBytes: Number(size),
    archive: archive as LockedPackage['archive'],
    path,
  };
}
