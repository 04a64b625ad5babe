import { execFile } from 'node:child_process';
import { copyFile, mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { Fault } from '#bundle/fault.ts';
import type { Site } from '#definition/site.ts';
import { accountFiles, withSubordinateIds } from './accounts.ts';
import { builderUnits } from './builder-units.ts';
import { daemonUnits, socketUnit } from './daemon-units.ts';
import { type Installation, type InstalledFile, layout } from './layout.ts';

/** What a site needs of a host: units, users, directories. */
export function planInstallation(
  site: Site,
  paths: Pick<Installation, 'configPath' | 'nodePath' | 'programPath'>,
): Installation {
  const tftp = { name: 'tftp', port: 69 };
  const sockets = [{ name: 'dhcp', port: 67 }, { name: 'pxe', port: 4011 }, tftp];
  return { ...paths, interface: site.network.interface, sockets: site.network.dhcp.mode === 'off' ? [tftp] : sockets };
}

/** Every file of an installation, those of subordinate ids with what stands in them below `root` already. */
export async function installedFiles(installation: Installation, root: string): Promise<readonly InstalledFile[]> {
  const ids = ['/etc/subuid', '/etc/subgid'].map(async (path) => {
    const text = await readFile(join(root, path), 'utf8').catch(() => '');
    return { path, text: withSubordinateIds(text, layout.builderUser) };
  });
  return [...daemonUnits(installation), ...builderUnits(installation), ...accountFiles(), ...(await Promise.all(ids))];
}

export async function writeInstalled(files: readonly InstalledFile[], root: string): Promise<void> {
  for (const { path, text } of files) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), text);
  }
}

/** What brings the written files into effect, in order. */
export function activation(installation: Installation): readonly (readonly string[])[] {
  const sockets = ['boottorrent-build.socket', ...installation.sockets.map(({ name }) => socketUnit(name))];
  return [
    ['systemd-sysusers', 'boottorrent.conf'],
    ['systemd-tmpfiles', '--create', 'boottorrent.conf'],
    ['systemctl', 'daemon-reload'],
    ['systemctl', 'enable', '--now', ...sockets],
    ['systemctl', 'enable', 'boottorrent.service'],
    ['systemctl', 'restart', 'boottorrent.service'],
  ];
}

/** The signing key, for the builder's eyes only. */
export async function installKey(keyPath: string, root: string): Promise<void> {
  const folder = join(root, layout.builderState, 'keys');
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await copyFile(keyPath, join(folder, 'minisign.key'));
  const owner = `${layout.builderUser}:${layout.builderUser}`;
  await run(['chmod', '600', join(folder, 'minisign.key')]);
  if (root === '/') await run(['chown', '-R', owner, folder]);
}

const execute = promisify(execFile);

/** @throws Fault `INSTALL_FAILED` */
export async function run(argv: readonly string[]): Promise<void> {
  const [program = '', ...rest] = argv;
  await execute(program, rest).catch((error: Error & { readonly stderr?: string }) => {
    const cause = new Error((error.stderr ?? '').trim() || error.message);
    const hint = 'Mend what it says, and run "boottorrent install" again: it begins anew';
    throw new Fault('INSTALL_FAILED', `Cannot install: ${argv.join(' ')} failed`, { cause, hint });
  });
}

/** Programs that the units start, and the Debian packages that bring them. */
const programs: Readonly<Record<string, string>> = {
  newuidmap: 'uidmap',
  mmdebstrap: 'mmdebstrap',
  'apt-get': 'apt',
  git: 'git',
  ip: 'iproute2',
  perl: 'perl-base',
};

/** @throws Fault `PROGRAM_MISSING` */
export async function checkPrograms(): Promise<void> {
  const folders = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'];
  const isThere = async (name: string) =>
    (await Promise.all(folders.map((folder) => exists(join(folder, name))))).includes(true);
  const missing: string[] = [];
  for (const [program, name] of Object.entries(programs)) if (!(await isThere(program))) missing.push(name);
  if (missing.length === 0) return;
  throw new Fault('PROGRAM_MISSING', `Cannot install: this host lacks ${missing.join(', ')}`, {
    hint: `apt-get install --no-install-recommends ${missing.join(' ')}`,
  });
}

/**
 * The units run as users without privileges, from whom homes are hidden.
 * @throws Fault `PATH_HIDDEN`
 */
export async function checkReadable({ configPath, nodePath, programPath }: Installation): Promise<void> {
  for (const path of [configPath, nodePath, programPath]) {
    const hidden = hiddenBelow(path) ?? (await closedPart(path));
    if (hidden === undefined) continue;
    throw new Fault('PATH_HIDDEN', `Cannot install: the units could not read ${path}, because of ${hidden}`, {
      hint: 'Put the site below /srv, and install this program below /opt, both readable by everybody',
    });
  }
}

/** What `ProtectHome=` and `PrivateTmp=` take out of sight. */
export function hiddenBelow(path: string): string | undefined {
  return ['/home', '/root', '/run/user', '/tmp', '/var/tmp'].find((folder) => `${path}/`.startsWith(`${folder}/`));
}

async function closedPart(path: string): Promise<string | undefined> {
  for (let part = path; part !== '/'; part = dirname(part)) {
    const { mode } = await stat(part);
    const wanted = part === path ? 0o4 : 0o1;
    if ((mode & wanted) === 0) return part;
  }
  return undefined;
}

function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
