import { type InstalledFile, layout } from './layout.ts';

/** @see sysusers.d(5) and tmpfiles.d(5) */
export function accountFiles(): readonly InstalledFile[] {
  const { daemonUser, builderUser, daemonState, builderState, builderStore } = layout;
  const users = [
    `u ${daemonUser} - "BootTorrent runtime" ${daemonState}`,
    `u ${builderUser} - "BootTorrent builder" ${builderState}`,
  ];
  const own = (path: string, mode: string, group: string = builderUser) =>
    `d ${path} ${mode} ${builderUser} ${group} -`;
  const directories = [
    // The runtime may go through to the store, which it only reads; nobody else may.
    own(builderState, '0750', daemonUser),
    own(`${builderState}/keys`, '0700'),
    ...['', '/blobs', '/builds', '/catalogs', '/tmp'].map((path) => own(builderStore + path, '0755')),
  ];
  return [
    { path: '/etc/sysusers.d/boottorrent.conf', text: `${users.join('\n')}\n` },
    { path: '/etc/tmpfiles.d/boottorrent.conf', text: `${directories.join('\n')}\n` },
  ];
}

const firstId = 100_000;
const wantedCount = 65_536;

/**
 * `/etc/subuid` or `/etc/subgid` with a range for a user: the ids that files of an image have while it is built.
 * Unchanged where the user has one that is large enough.
 * @see subuid(5)
 */
export function withSubordinateIds(text: string, user: string): string {
  const ranges = text.split('\n').flatMap((line) => {
    const [name, first, count] = line.split(':');
    return name && first && count ? [{ name, first: Number(first), count: Number(count) }] : [];
  });
  if (ranges.some(({ name, count }) => name === user && count >= wantedCount)) return text;
  const free = Math.max(firstId, ...ranges.map(({ first, count }) => first + count));
  const before = text === '' || text.endsWith('\n') ? text : `${text}\n`;
  return `${before}${user}:${free}:${wantedCount}\n`;
}
