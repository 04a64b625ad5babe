import type { Mac } from '#bundle/digest.ts';
import { runOrFail } from '../command.ts';
import type { Host } from '../host.ts';
import { identity, identitySeed, type TargetFile, targetFiles } from '../identity.ts';
import type { Network } from '../network.ts';
import type { Paths } from '../paths.ts';

export interface PersonalOptions {
  readonly paths: Paths;
  readonly site: string;
  readonly mac: Mac;
  readonly network: Network;
}

/** Makes the root at `newRoot` the system of this one node. @throws Fault `ROOT_UNWRITABLE` */
export function personalize(host: Host, options: PersonalOptions): void {
  const { newRoot } = options.paths;
  writeNames(host, options, () => true);
  makeHostKeys(host, newRoot);
}

/** Only what a single program needs: the host name and how to resolve others. @throws Fault `ROOT_UNWRITABLE` */
export function personalizeNames(host: Host, options: PersonalOptions): void {
  const names: readonly string[] = ['etc/hostname', 'etc/hosts', 'etc/resolv.conf'];
  writeNames(host, options, ({ path }) => names.includes(path));
}

function writeNames(host: Host, options: PersonalOptions, isWanted: (file: TargetFile) => boolean): void {
  const { lease } = options.network;
  const seed = `${host.workPath}/identity`;
  host.writeText(seed, identitySeed(options.site, options.mac));
  const digest = must(host, ['sha256sum', seed]).slice(0, 64);
  const self = identity(options.mac, lease, digest);
  for (const file of targetFiles({ identity: self, mac: options.mac, lease }).filter(isWanted)) {
    writeTarget(host, options.paths.newRoot, file);
  }
  host.run(['hostname', self.hostname]);
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
    code: 'ROOT_UNWRITABLE',
    purpose: `prepare the new root (${argv.slice(0, 5).join(' ')})`,
  });
}
