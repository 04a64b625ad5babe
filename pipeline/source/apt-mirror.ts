import { readFile } from 'node:fs/promises';
import { type ProgramOptions, runProgram } from './program.ts';

/** The root URIs of Debian's archives, without a slash at the end. */
export interface Mirror {
  readonly debian: string;
  /** Absent: no security updates, the packages of the last point release. */
  readonly 'debian-security'?: string;
}

const fallback: Mirror = {
  debian: 'http://deb.debian.org/debian',
  'debian-security': 'http://deb.debian.org/debian-security',
};

/**
 * The mirror to use: `mirror`, else the one in this host's own apt sources, else Debian's. A mirror that is named
 * by itself serves the suite and its `-updates`; security updates come with the host's or Debian's own.
 */
export async function chooseMirror(mirror?: string, options: ProgramOptions = {}): Promise<Mirror> {
  if (mirror !== undefined) return { debian: withoutSlash(mirror) };
  const release = await readFile('/etc/os-release', 'utf8').catch(() => '');
  const codename = /^VERSION_CODENAME=([a-z]+)$/m.exec(release)?.[1];
  if (!/^ID=debian$/m.test(release) || codename === undefined) return fallback;
  // Unlike `indextargets` this also knows sources whose lists were never fetched, or were removed to save room.
  return hostMirror(await runProgram(['apt-get', 'update', '--print-uris'], options), codename);
}

/** The archives as they were at a moment. @see https://snapshot.debian.org/ */
export function snapshotMirror(moment: string): Mirror {
  const root = (archive: string): string => `http://snapshot.debian.org/archive/${archive}/${moment}`;
  return { debian: root('debian'), 'debian-security': root('debian-security') };
}

/** @param uris what apt would fetch: lines that begin `'<root>/dists/<suite>/InRelease'`, in the order of the sources */
export function hostMirror(uris: string, codename: string): Mirror {
  const sources = [...uris.matchAll(/^'([^']+)\/dists\/([^']+)\/(?:InRelease|Release)'/gm)];
  const find = (suite: string): string | undefined => {
    // Other repositories name their suite after Debian's too: only an archive is called so.
    const uri = sources.find(([, root = '', name]) => name === suite && /\/debian(-security)?\/*$/.test(root))?.[1];
    return uri === undefined ? undefined : withoutSlash(uri);
  };
  const debian = find(codename);
  const security = find(`${codename}-security`);
  if (debian === undefined) return fallback;
  return { debian, ...(security !== undefined && { 'debian-security': security }) };
}

function withoutSlash(uri: string): string {
  return uri.replace(/\/+$/, '');
}
