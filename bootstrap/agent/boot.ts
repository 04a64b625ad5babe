import type { BootTicket } from '#bundle/boot-ticket.ts';
import { version } from '#bundle/digest.ts';
import type { Arch } from '#bundle/manifest.ts';
import type { SwarmNode } from '../swarm-node/swarm-node.ts';
import { correctClock } from './clock.ts';
import { runOrFail } from './command.ts';
import { download, torrentPath } from './download.ts';
import type { Host } from './host.ts';
import { executeKexec, loadKexec } from './kexec.ts';
import type { Network } from './network.ts';
import type { BootParameters } from './parameters.ts';
import type { Paths } from './paths.ts';
import {
  chooseReleases,
  type Delivery,
  deliveredPath,
  type Machine,
  type Phase,
  phases,
  type Verified,
} from './phases.ts';
import { faultOf, type Reporter } from './reporter.ts';
import { loadSwitchRoot, type SwitchRootOptions, startSurvivors, undoSwitchRoot } from './switch-root.ts';
import { fetchTicket } from './ticket.ts';
import { verifyCatalog, verifyFile, verifyManifest, verifyTorrent } from './verify.ts';

export interface BootOptions {
  readonly parameters: BootParameters;
  readonly paths: Paths;
  readonly network: Network;
  readonly reporter: Reporter;
}

/** `switch-root`: the new root stands, PID 1 is to switch. `reboot`: only that helps. kexec does not return. */
export type BootEnd = 'switch-root' | 'failed' | 'reboot';

/** Faults after which the bootstrap is not what it was: another one is served, or its lease was given away. */
const needReboot: readonly string[] = ['BOOTSTRAP_OUTDATED', 'HANDOVER_FAILED', 'KEXEC_FAILED'];

/** What the phases leave behind for each other, and for who cleans up. */
interface Progress {
  swarm?: SwarmNode | undefined;
}

/** One attempt, from the ticket to the start of the OS. Every fault is reported, and what was built is taken down. */
export function boot(host: Host, options: BootOptions): BootEnd {
  const { reporter, paths } = options;
  const progress: Progress = {};
  try {
    const machine = lookAtMachine(host, options.parameters);
    reporter.setImage(undefined);
    reporter.report('ticket');
    const ticket = fetchTicket(host, options.parameters, machine.arch);
    const corrected = correctClock(host, ticket.timeMs, paths);
    if (corrected) reporter.say('clock', corrected);
    const verified = verifyTicket(host, ticket, { machine, ...options });
    for (const phase of phases(ticket, machine, verified)) {
      runPhase(host, phase, { ...options, machine, verified, progress });
    }
    return 'switch-root';
  } catch (error) {
    const fault = faultOf(error);
    reporter.failed(fault);
    progress.swarm?.stop();
    undoSwitchRoot(host, paths);
    host.run(['umount', '-l', paths.run]);
    return needReboot.includes(fault.code) ? 'reboot' : 'failed';
  }
}

/** Signature first, then everything that hangs on it. Nothing is downloaded for a ticket that does not verify. */
function verifyTicket(host: Host, ticket: BootTicket, options: BootOptions & { machine: Machine }): Verified {
  const { machine, reporter } = options;
  reporter.report('verify-catalog');
  const catalog = verifyCatalog(host, ticket, options.paths.keys);
  const { image, cmdline, bootstrap } = chooseReleases(catalog, machine);
  const imageManifest = verifyManifest(host, image, ticket.image.manifest);
  const bootstrapManifest = verifyManifest(host, bootstrap, ticket.bootstrap.manifest);
  reporter.setImage({ name: image.name, manifest: image.manifest.digest });
  const shown = `${image.name}@${version(image.manifest.digest)} (${image.method})`;
  reporter.say('verify', `catalog ${catalog.serial} of ${catalog.site} is signed; this node boots ${shown}`);
  return { catalog, image, cmdline, imageManifest, bootstrapManifest };
}

interface PhaseOptions extends BootOptions {
  readonly machine: Machine;
  readonly verified: Verified;
  readonly progress: Progress;
}

function runPhase(host: Host, phase: Phase, options: PhaseOptions): void {
  switch (phase.kind) {
    case 'reserve':
      reserve(host, phase.sizeBytes, options);
      break;
    case 'download':
      runDownload(host, phase, options);
      break;
    case 'verify-files':
      verifyFiles(host, phase.deliveries, options);
      break;
    case 'kexec':
      runKexec(host, phase, options);
      break;
    case 'switch-root':
      runSwitchRoot(host, phase, options);
      break;
    default:
      phase satisfies never;
  }
}

function reserve(host: Host, sizeBytes: number, { paths, reporter }: PhaseOptions): void {
  const purpose = 'reserve memory for the image';
  const fail = { code: 'MEMORY_INSUFFICIENT', purpose };
  runOrFail(host, ['mkdir', '-p', paths.run], fail);
  const size = `mode=0755,size=${Math.ceil(sizeBytes / 4096) * 4}k`;
  runOrFail(host, ['mount', '-t', 'tmpfs', '-o', size, 'boottorrent', paths.run], fail);
  runOrFail(host, ['mkdir', `${paths.run}/torrents`, `${paths.run}/files`], fail);
  reporter.say('memory', `${(sizeBytes / 1e6).toFixed(0)} MB reserved at ${paths.run}`);
}

function runDownload(host: Host, phase: Extract<Phase, { kind: 'download' }>, options: PhaseOptions): void {
  const { server, session } = options.parameters;
  const { reporter, paths } = options;
  for (const { folder, hint, manifest, files } of phase.deliveries) {
    const torrent = verifyTorrent(hint, { manifest, files, announce: `${server}/announce/${session}` });
    host.writeBytes(torrentPath(paths.run, folder), torrent);
  }
  const { totalBytes } = phase;
  reporter.report('download', { doneBytes: 0, totalBytes });
  options.progress.swarm = download(host, phase.deliveries, { server, root: paths.run, totalBytes, reporter });
}

function verifyFiles(host: Host, deliveries: readonly Delivery[], { paths, reporter }: PhaseOptions): void {
  reporter.report('verify-files');
  for (const delivery of deliveries) {
    for (const file of delivery.files) verifyFile(host, `${paths.run}/${deliveredPath(delivery, file)}`, file);
  }
  const names = deliveries.flatMap((one) => one.files.map((file) => file.name));
  reporter.say('verify', `SHA-256 of ${names.join(', ')} is right`);
}

/** The seeder ends first: kexec needs the memory. */
function runKexec(host: Host, phase: Extract<Phase, { kind: 'kexec' }>, options: PhaseOptions): void {
  const { reporter, paths, network } = options;
  reporter.report('load');
  options.progress.swarm?.stop();
  loadKexec(host, phase, paths.run);
  reporter.report('executing');
  reporter.say('execute', `kexec, command line: ${phase.cmdline}`);
  executeKexec(host, network);
}

function runSwitchRoot(host: Host, phase: Extract<Phase, { kind: 'switch-root' }>, options: PhaseOptions): void {
  const { reporter, paths, network, verified, machine } = options;
  const { server, session, mac } = options.parameters;
  const { name, manifest } = verified.image;
  const settings: SwitchRootOptions = {
    paths,
    network,
    mac,
    site: verified.catalog.site,
    kernelRelease: machine.kernelRelease,
    session: { SERVER: server, SESSION: session, MAC: mac, IMAGE: name, MANIFEST: manifest.digest },
  };
  reporter.report('load');
  loadSwitchRoot(host, phase, settings);
  reporter.report('executing');
  reporter.say('execute', `switch-root, command line: ${phase.cmdline}`);
  options.progress.swarm?.stop();
  network.udhcpc.stop();
  startSurvivors(host, phase, settings);
}

function lookAtMachine(host: Host, { mac }: BootParameters): Machine {
  const [kernelRelease = '', hardware = ''] = host.run(['uname', '-rm']).stdout.trim().split(' ');
  const arch: Arch = hardware === 'aarch64' ? 'arm64' : 'amd64';
  const memory = /^MemAvailable:\s+([0-9]+) kB/m.exec(host.readText('/proc/meminfo') ?? '');
  return { mac, arch, kernelRelease, memoryAvailableBytes: Number(memory?.[1] ?? 0) * 1024 };
}
