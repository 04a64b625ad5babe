import { execFile } from 'node:child_process';
import { readlink } from 'node:fs/promises';
import { promisify } from 'node:util';
import { Fault } from '#bundle/fault.ts';

const run = promisify(execFile);

/** A socket that this process needs; without descriptor: it has to open it itself, and cannot bind it. */
export interface NeededSocket {
  readonly name: string;
  readonly descriptor: number | undefined;
}

/**
 * Proves by what the kernel says (`ss`) that sockets hear one interface alone. A machine whose only interface it is
 * needs no binding.
 * @throws Fault `INTERFACE_NOT_BOUND`
 */
export async function checkBound(interfaceName: string, sockets: readonly NeededSocket[]): Promise<void> {
  const { stdout: listing } = await run('ss', ['-Hulne']);
  const inodes = await Promise.all(sockets.map(({ descriptor }) => inodeOf(descriptor)));
  const unbound = sockets.filter((_, index) => boundTo(listing, inodes[index]) !== interfaceName);
  if (unbound.length === 0) return;
  const others = await otherInterfaces(interfaceName);
  if (others.length === 0) return;
  const names = unbound.map(({ name }) => name).join(', ');
  throw new Fault('INTERFACE_NOT_BOUND', `Cannot serve on ${interfaceName} alone: ${names} would also hear ${others}`, {
    hint: `Start it as: perl runtime/sockets/launch.pl ${interfaceName} node runtime/cli/main.ts run …, or by a systemd socket unit with BindToDevice=${interfaceName}`,
    retry: 'stalled',
  });
}

/**
 * The interface that a socket is bound to, from a listing by `ss -Hulne`; undefined: every one.
 * A line holds `0.0.0.0%eth1:67` where it is bound, and the socket's inode as `ino:12345`.
 */
export function boundTo(listing: string, inode: string | undefined): string | undefined {
  const line = listing.split('\n').find((one) => one.split(/\s+/).includes(`ino:${inode}`));
  return /%([^\s:]+):\d+\s/.exec(line ?? '')?.[1];
}

/** Names of interfaces that are up besides one and the loopback. */
async function otherInterfaces(name: string): Promise<readonly string[]> {
  const { stdout } = await run('ip', ['-json', 'link', 'show', 'up']);
  const links = JSON.parse(stdout) as readonly { readonly ifname?: string; readonly flags?: readonly string[] }[];
  return links.flatMap(({ ifname, flags }) => {
    const isOther = ifname !== undefined && ifname !== name && !flags?.includes('LOOPBACK');
    return isOther ? [ifname] : [];
  });
}

async function inodeOf(descriptor: number | undefined): Promise<string | undefined> {
  if (descriptor === undefined) return undefined;
  const target = await readlink(`/proc/self/fd/${descriptor}`);
  return /^socket:\[(\d+)\]$/.exec(target)?.[1];
}
