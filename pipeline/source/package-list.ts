import { type Digest, parseDigest } from '#bundle/digest.ts';
import { Fault } from '#bundle/fault.ts';

/** One exact Debian package: what a build is locked to. */
export interface LockedPackage {
  readonly name: string;
  /** As Debian writes it, with the epoch: `1:2.75-10+b3`. */
  readonly version: string;
  readonly arch: string;
  readonly sha256: Digest;
  readonly sizeBytes: number;
  /** Which of the mirror's archives holds it. */
  readonly archive: 'debian' | 'debian-security';
  /** Below the archive's root, `pool/main/…`. */
  readonly path: string;
}

/** Sorted by name: the same packages are the same list, whatever order apt installs them in. */
export function sortPackages(packages: readonly LockedPackage[]): readonly LockedPackage[] {
  return packages.toSorted((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : a.arch < b.arch ? -1 : 1));
}

/**
 * Reads what `apt-get --print-uris` says: `'URI' name_version_arch.deb size SHA256:digest`.
 * @param archives the root URI of each archive, without a slash at the end
 * @throws Fault `APT_OUTPUT_INVALID`
 */
export function parsePrintedUris(
  text: string,
  archives: Readonly<Partial<Record<LockedPackage['archive'], string>>>,
): readonly LockedPackage[] {
  const lines = text.split('\n').filter((line) => line.startsWith("'"));
  return sortPackages(lines.map((line) => parseLine(line, archives)));
}

function parseLine(line: string, archives: Readonly<Partial<Record<string, string>>>): LockedPackage {
  const match = /^'([^']+)' ([^_ ]+)_([^_ ]+)_([a-z0-9-]+)\.deb ([0-9]+) SHA256:([0-9a-f]{64})$/.exec(line);
  const [, uri = '', name = '', version = '', arch = '', size, sha256] = match ?? [];
  // The longest root first: `…/debian` is a prefix of `…/debian-security` only up to the slash, but mirrors nest freely.
  const roots = Object.entries(archives).toSorted(([, a = ''], [, b = '']) => b.length - a.length);
  const [archive, root] = roots.find(([, one]) => one !== undefined && uri.startsWith(`${one}/`)) ?? [];
  if (!match || !archive || !root) {
    throw new Fault('APT_OUTPUT_INVALID', `Cannot read apt's list of packages: ${JSON.stringify(line.slice(0, 200))}`);
  }
  return {
    name,
    version: decodeURIComponent(version),
    arch,
    sha256: parseDigest(sha256),
    sizeBytes: Number(size),
    archive: archive as LockedPackage['archive'],
    path: decodeURIComponent(uri.slice(root.length + 1)),
  };
}

/** A name for the package's file: without the epoch's colon, which apt would take for a part of a URI. */
export function packageFileName({ name, version, arch }: LockedPackage): string {
  return `${name}_${version.replace(/^[0-9]+:/, '')}_${arch}.deb`;
}
