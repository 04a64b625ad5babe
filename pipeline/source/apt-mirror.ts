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
  const format = ['--format', '$(REPO_URI) $(RELEASE)', 'Created-By: Packages'];
  return hostMirror(await runProgram(['apt-get', 'indextargets', ...format], options), codename);
}

/** @param targets lines of `URI suite`, in the order of the host's sources */
export function hostMirror(targets: string, codename: string): Mirror {
  const lines = targets.split('\n').map((line) => line.split(' '));
  const find = (suite: string): string | undefined => {
    // Other repositories name their suite after Debian's too: only an archive is called so.
    const uri = lines.find(([one = '', name]) => name === suite && /\/debian(-security)?\/?$/.test(one))?.[0];
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
