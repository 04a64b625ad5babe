import { Fault } from '#bundle/fault.ts';
import { seedArguments, seedInput } from '../../swarm-node/aria2-arguments.ts';
import { lastLine } from '../command.ts';
import { torrentPath } from '../download.ts';
import type { Child, Host } from '../host.ts';
import { dhcpArguments, type Network } from '../network.ts';
import type { Paths } from '../paths.ts';

/** How soon a program that cannot run at all has ended. */
const settleMs = 300;

/** A leak ends the seeder and not the node. Its libraries alone take a fifth of it. */
const addressSpaceKib = 512 * 1024;

export interface SeederOptions {
  readonly paths: Paths;
  /** Folders of what was downloaded. */
  readonly torrents: readonly string[];
  /** Absent: no limit. */
  readonly uploadBytesPerSecond?: number | undefined;
}

/**
 * Seeds from now on, beside what was started: last in line for processor and disk, first in line when memory runs out.
 * @param before what comes before the program's own arguments, for example a chroot
 */
export function startSeeder(host: Host, options: SeederOptions, before: readonly string[] = []): Child {
  const { paths, uploadBytesPerSecond } = options;
  const { run } = paths;
  const torrents = options.torrents.map((folder) => ({
    torrentPath: torrentPath(run, folder),
    directory: `${run}/files/${folder}`,
  }));
  host.writeText(`${run}/seed-list`, seedInput(torrents));
  // Its own loader and libraries: those of the target may be older, or of another C library.
  const aria2 = [`${run}/lib/ld.so`, '--library-path', `${run}/lib`, `${run}/bin/aria2c`];
  const busybox = `${run}/bin/busybox`;
  const priority = `${busybox} renice -n 19 -p $$; ${busybox} ionice -c 3 -p $$; echo 1000 >/proc/$$/oom_score_adj`;
  const last = `${priority}; ulimit -v ${addressSpaceKib}; exec "$@"`;
  const argv = [...aria2, ...seedArguments(`${run}/seed-list`, uploadBytesPerSecond)];
  return host.start([...before, busybox, 'sh', '-c', last, 'seeder', ...argv]);
}

/**
 * Starts what goes on in the new system: the process that keeps the lease, and the seeder. Both see the new root from
 * their first moment, with programs and libraries below /run: a process of the old root would find no path any more.
 * What must have ended before: the old ones of both.
 * @throws Fault `HANDOVER_FAILED`
 */
export function startSurvivors(host: Host, options: SeederOptions & { readonly network: Network }): void {
  const { network, paths } = options;
  const inNewRoot = ['setsid', 'chroot', paths.newRoot];
  const lease = { interface: network.interface, script: `${paths.run}/lease-script`, address: network.lease.address };
  const children = [
    host.start([...inNewRoot, `${paths.run}/bin/busybox`, ...dhcpArguments(lease)]),
    startSeeder(host, options, inNewRoot),
  ];
  host.sleep(settleMs);
  const ended = children.find((child) => child.poll() !== undefined);
  if (!ended) return;
  const said = lastLine(ended.output()) || `status ${ended.poll()}`;
  throw new Fault('HANDOVER_FAILED', `Cannot hand the lease and the seeder over: one of them ended: ${said}`);
}
