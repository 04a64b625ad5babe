import type { Mac } from '#bundle/digest.ts';
import { Fault } from '#bundle/fault.ts';
import { seedArguments, seedInput } from '../swarm-node/aria2-arguments.ts';
import { lastLine, runOrFail } from './command.ts';
import { torrentPath } from './download.ts';
import type { Host } from './host.ts';
import { identity, identitySeed, type TargetFile, targetFiles } from './identity.ts';
import { dhcpArguments, type Network } from './network.ts';
import type { Paths } from './paths.ts';
import type { Phase } from './phases.ts';

type SwitchRootPhase = Extract<Phase, { kind: 'switch-root' }>;

/** How soon a program that cannot run at all has ended. */
const settleMs = 300;

export interface SwitchRootOptions {
  readonly paths: Paths;
  readonly kernelRelease: string;
  readonly site: string;
  readonly mac: Mac;
  readonly network: Network;
  /** `KEY=value` lines for the units of the target, in /run/boottorrent/session. */
  readonly session: Readonly<Record<string, string>>;
}

/**
 * Builds the new root: squashfs below, a tmpfs above, the modules of the running kernel, and what makes this node
 * itself. Everything can still be undone with {@link undoSwitchRoot}.
 * @throws Fault `SWITCH_ROOT_FAILED`, `IMAGE_INVALID`
 */
export function loadSwitchRoot(host: Host, phase: SwitchRootPhase, options: SwitchRootOptions): void {
  const { run, newRoot } = options.paths;
  mountRoot(host, phase, options);
  for (const name of ['dev', 'proc', 'sys', 'run']) {
    must(host, ['mkdir', '-p', `${newRoot}/${name}`]);
    must(host, ['mount', '-o', 'rbind', `/${name}`, `${newRoot}/${name}`]);
  }
  copyPrograms(host, options.paths);
  checkInit(host, options.paths);
  const text = Object.entries(options.session).map(([key, value]) => `${key}=${value}\n`);
  host.writeText(`${run}/session`, text.join(''));
  // The kernel runs already: its own parameters are the bootstrap's, but init and units read the image's here.
  host.writeText(`${run}/cmdline`, `${phase.cmdline}\n`);
  must(host, ['mount', '-o', 'bind', `${run}/cmdline`, `${newRoot}/proc/cmdline`]);
  personalize(host, options);
}

/** Takes down what {@link loadSwitchRoot} has built, as far as it got. */
export function undoSwitchRoot(host: Host, { newRoot, run }: Paths): void {
  for (const mount of [
    `${newRoot}/proc/cmdline`,
    `${newRoot}/run`,
    `${newRoot}/sys`,
    `${newRoot}/proc`,
    `${newRoot}/dev`,
  ]) {
    host.run(['umount', '-l', mount]);
  }
  host.run(['umount', '-l', newRoot]);
  for (const name of ['modules', 'lower', 'upper']) host.run(['umount', '-l', `${run}/${name}`]);
}

/**
 * Starts what goes on in the new system: the process that keeps the lease, and the seeder. Both see the new root from
 * their first moment, with programs and libraries below /run: a process of the old root would find no path any more.
 * What must have ended before: the old ones of both.
 * @throws Fault `HANDOVER_FAILED`
 */
export function startSurvivors(host: Host, phase: SwitchRootPhase, { paths, network }: SwitchRootOptions): void {
  const { run, newRoot } = paths;
  const inNewRoot = ['setsid', 'chroot', newRoot];
  const lease = { interface: network.interface, script: `${run}/lease-script`, address: network.lease.address };
  const torrents = phase.torrents.map((folder) => ({
    torrentPath: torrentPath(run, folder),
    directory: `${run}/files/${folder}`,
  }));
  host.writeText(`${run}/seed-list`, seedInput(torrents));
  // Its own loader and libraries: those of the target may be older, or of another C library.
  const aria2 = [`${run}/lib/ld.so`, '--library-path', `${run}/lib`, `${run}/bin/aria2c`];
  const children = [
    host.start([...inNewRoot, `${run}/bin/busybox`, ...dhcpArguments(lease)]),
    host.start([...inNewRoot, ...aria2, ...seedArguments(`${run}/seed-list`)]),
  ];
  host.sleep(settleMs);
  const ended = children.find((child) => child.poll() !== undefined);
  if (!ended) return;
  const said = lastLine(ended.output()) || `status ${ended.poll()}`;
  throw new Fault('HANDOVER_FAILED', `Cannot hand the lease and the seeder over: one of them ended: ${said}`);
}

function mountRoot(host: Host, phase: SwitchRootPhase, { paths, kernelRelease }: SwitchRootOptions): void {
  const { run, newRoot } = paths;
  must(host, ['mkdir', '-p', `${run}/lower`, `${run}/modules`, `${run}/upper`, newRoot]);
  must(host, ['mount', '-t', 'squashfs', '-o', 'ro,loop', `${run}/${phase.rootfs}`, `${run}/lower`]);
  must(host, ['mount', '-t', 'squashfs', '-o', 'ro,loop', `${run}/${phase.modules}`, `${run}/modules`]);
  must(host, ['mount', '-t', 'tmpfs', '-o', 'mode=0755,size=50%', 'tmpfs', `${run}/upper`]);
  must(host, ['mkdir', `${run}/upper/changes`, `${run}/upper/work`]);
  const layers = `lowerdir=${run}/lower,upperdir=${run}/upper/changes,workdir=${run}/upper/work`;
  must(host, ['mount', '-t', 'overlay', '-o', layers, 'overlay', newRoot]);
  // /lib is a link to usr/lib in a merged system, and must not be followed into the bootstrap where it is absolute.
  const isLink = host.run(['readlink', `${newRoot}/lib`]).status === 0;
  const modules = `${newRoot}/${isLink ? 'usr/lib' : 'lib'}/modules/${kernelRelease}`;
  must(host, ['mkdir', '-p', modules]);
  must(host, ['mount', '-o', 'bind', `${run}/modules`, modules]);
}

/** The list has `source destination` lines. */
function copyPrograms(host: Host, { programs, run, leaseScript }: Paths): void {
  must(host, ['mkdir', '-p', `${run}/bin`, `${run}/lib`]);
  const list = (host.readText(programs) ?? '').split('\n').filter((line) => line !== '');
  for (const line of list) {
    const [from = '', to = ''] = line.split(' ');
    must(host, ['cp', '-L', from, `${run}/${to}`]);
  }
  must(host, ['cp', leaseScript, `${run}/lease-script`]);
}

/** Looked up inside the new root: /sbin/init is a link there, perhaps an absolute one. */
function checkInit(host: Host, { newRoot, run }: Paths): void {
  const { status } = host.run(['chroot', newRoot, `${run}/bin/busybox`, 'test', '-x', '/sbin/init']);
  if (status === 0) return;
  throw new Fault('IMAGE_INVALID', 'Cannot switch to the new root: it has no /sbin/init', {
    hint: 'Add an init to the image, for example the package systemd-sysv',
  });
}

function personalize(host: Host, options: SwitchRootOptions): void {
  const { newRoot } = options.paths;
  const seed = `${host.workPath}/identity`;
  host.writeText(seed, identitySeed(options.site, options.mac));
  const digest = must(host, ['sha256sum', seed]).slice(0, 64);
  const self = identity(options.mac, options.network.lease, digest);
  for (const file of targetFiles({ identity: self, mac: options.mac, lease: options.network.lease })) {
    writeTarget(host, newRoot, file);
  }
  host.run(['hostname', self.hostname]);
  makeHostKeys(host, newRoot);
}

/**
 * Host keys of its own, made here: an image holds none, since all nodes would have the same. No RSA key: it takes ten
 * times as long as the two others together, at every boot, and no ssh of the last ten years asks for one.
 */
function makeHostKeys(host: Host, newRoot: string): void {
  if (host.sizeBytes(`${newRoot}/usr/bin/ssh-keygen`) === undefined) return;
  for (const type of ['ed25519', 'ecdsa']) {
    const path = `/etc/ssh/ssh_host_${type}_key`;
    must(host, ['rm', '-f', `${newRoot}${path}`]);
    must(host, ['chroot', newRoot, '/usr/bin/ssh-keygen', '-q', '-t', type, '-N', '', '-C', '', '-f', path]);
  }
}

/** Removes what is there first: resolv.conf is often a link to somewhere that does not exist yet. */
function writeTarget(host: Host, root: string, { path, text }: TargetFile): void {
  const target = `${root}/${path}`;
  must(host, ['mkdir', '-p', target.slice(0, target.lastIndexOf('/'))]);
  must(host, ['rm', '-f', target]);
  host.writeText(target, text);
}

function must(host: Host, argv: readonly string[]): string {
  return runOrFail(host, argv, {
    code: 'SWITCH_ROOT_FAILED',
    purpose: `prepare the new root (${argv.slice(0, 5).join(' ')})`,
  });
}
