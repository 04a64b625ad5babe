import { memoryNeed } from '#bundle/memory.ts';
import type { SwarmNode } from '../swarm-node/swarm-node.ts';
import type { Stop } from './breakpoint.ts';
import { download, torrentPath } from './download.ts';
import type { Child, Host } from './host.ts';
import { checkMemory, dropModules, readMemory, reserve } from './memory.ts';
import { openProgress } from './menu/progress.ts';
import type { Network } from './network.ts';
import type { BootParameters } from './parameters.ts';
import type { Paths } from './paths.ts';
import type { ExecPhase, KexecPhase, Machine, Phase, QemuPhase, SwitchRootPhase, Verified } from './phases.ts';
import type { Reporter } from './reporter.ts';
import { seedUntilNeededNoMore } from './seed.ts';
import { loadExec, runExec } from './start/exec.ts';
import { executeKexec, loadKexec } from './start/kexec.ts';
import { loadQemu, runQemu } from './start/qemu.ts';
import type { SessionFile } from './start/session-file.ts';
import { startSeeder, startSurvivors } from './start/survivors.ts';
import { loadSwitchRoot } from './start/switch-root.ts';
import { unbindDrivers } from './start/unbind.ts';
import { verifyTorrent } from './verify.ts';
import { verifyFiles } from './verify-files.ts';

/** What comes when the last phase is over. `switch-root`: PID 1 is to switch. `stay`: seeding goes on. */
export type PhaseEnd = 'switch-root' | 'reboot' | 'poweroff' | 'stay';

/** What the phases leave behind for each other, and for who cleans up. */
export interface Progress {
  swarm?: SwarmNode | undefined;
  seeder?: Child | undefined;
  /** A bridge may take the place of the NIC. */
  network: Network;
}

export interface PhaseOptions {
  readonly parameters: BootParameters;
  readonly paths: Paths;
  readonly reporter: Reporter;
  readonly machine: Machine;
  readonly verified: Verified;
  readonly progress: Progress;
  readonly stop: Stop;
  /** A person may be there: consoles at which a key was pressed in the menu. */
  readonly keyed?: readonly string[] | undefined;
}

/** @returns undefined: the next phase comes */
export function runPhase(host: Host, phase: Phase, options: PhaseOptions): PhaseEnd | undefined {
  switch (phase.kind) {
    case 'reserve':
      return runReserve(host, phase.sizeBytes, options);
    case 'download':
      return runDownload(host, phase, options);
    case 'verify-files':
      return runVerify(host, phase, options);
    case 'seed':
      return runSeed(host, phase, options);
    case 'kexec':
      return runKexec(host, phase, options);
    case 'switch-root':
      return runSwitchRoot(host, phase, options);
    case 'exec':
      return runExecPhase(host, phase, options);
    case 'qemu':
      return runQemuPhase(host, phase, options);
    case 'reboot':
      return runReboot(host, phase.image, options);
    default:
      return phase satisfies never;
  }
}

function runReserve(host: Host, sizeBytes: number, { paths, reporter, verified }: PhaseOptions): undefined {
  dropModules(host);
  const { image, catalog } = verified;
  const needBytes = memoryNeed(image, catalog.parts);
  const memory = readMemory(host);
  checkMemory(memory, { needBytes, name: image.name });
  reserve(host, sizeBytes, paths);
  const mib = (bytes: number) => Math.round(bytes / 1024 / 1024);
  const free = `${mib(memory.availableBytes)} of ${mib(memory.totalBytes)} MiB are free`;
  reporter.say('memory', `${image.name} needs ${mib(needBytes)} MiB, ${free}`);
}

function runDownload(host: Host, phase: Extract<Phase, { kind: 'download' }>, options: PhaseOptions): undefined {
  const { server, session } = options.parameters;
  const { reporter, paths, keyed, verified, progress } = options;
  options.stop('download');
  for (const delivery of phase.deliveries) {
    const torrent = verifyTorrent(host, delivery, `${server}/announce/${session}`);
    host.writeBytes(torrentPath(paths.run, delivery.folder), torrent);
  }
  const { totalBytes } = phase;
  reporter.report('download', { doneBytes: 0, totalBytes });
  const view = keyed ? { view: openProgress(host, { title: verified.image.title, keyed }) } : {};
  progress.swarm = download(host, phase.deliveries, { server, root: paths.run, totalBytes, reporter, ...view });
}

function runVerify(host: Host, phase: Extract<Phase, { kind: 'verify-files' }>, options: PhaseOptions): undefined {
  const { reporter, paths, progress, stop, parameters } = options;
  const { deliveries, totalBytes } = phase;
  stop('verify');
  reporter.report('verify-files');
  const { server } = parameters;
  const about = { server, root: paths.run, totalBytes, reporter, swarm: progress.swarm };
  progress.swarm = verifyFiles(host, deliveries, about);
  const names = deliveries.flatMap((one) => one.files.map((file) => file.name));
  reporter.say('verify', `SHA-256 of ${names.join(', ')} is right`);
}

function runSeed(host: Host, phase: Extract<Phase, { kind: 'seed' }>, options: PhaseOptions): undefined {
  const { budgetMs, totalBytes } = phase;
  const { reporter, progress } = options;
  seedUntilNeededNoMore(host, { swarm: progress.swarm, budgetMs, totalBytes, reporter });
}

/** The seeder ends first: kexec needs the memory. */
function runKexec(host: Host, phase: KexecPhase, options: PhaseOptions): never {
  const { reporter, paths, progress, stop } = options;
  stop('load');
  reporter.report('load');
  progress.swarm?.stop();
  loadKexec(host, phase, { root: paths.run, session: sessionFile(options), meanwhile: reporter.again });
  stop('execute');
  reporter.report('executing');
  unbindDrivers(host, phase.unbind, (text) => reporter.say('unbind', text));
  reporter.say('execute', `kexec, command line: ${phase.cmdline}`);
  return executeKexec(host, progress.network);
}

function runSwitchRoot(host: Host, phase: SwitchRootPhase, options: PhaseOptions): PhaseEnd {
  const { reporter, progress, stop } = options;
  stop('load');
  reporter.report('load');
  loadSwitchRoot(host, phase, targetOptions(options));
  stop('execute');
  reporter.report('executing');
  reporter.say('execute', `switch-root, command line: ${phase.cmdline}`);
  progress.swarm?.stop();
  progress.network.udhcpc.stop();
  startSurvivors(host, { ...seederOptions(phase, options), network: progress.network });
  return 'switch-root';
}

function runExecPhase(host: Host, phase: ExecPhase, options: PhaseOptions): PhaseEnd {
  const { reporter, paths, stop } = options;
  stop('load');
  reporter.report('load');
  loadExec(host, phase, targetOptions(options));
  stop('execute');
  reporter.report('executing');
  reporter.say('execute', `exec: ${phase.start.command.join(' ')}`);
  seedBeside(host, phase, options);
  return runExec(host, phase, { paths, reporter });
}

function runQemuPhase(host: Host, phase: QemuPhase, options: PhaseOptions): PhaseEnd {
  const { reporter, paths, progress, stop, parameters } = options;
  stop('load');
  reporter.report('load');
  const qemu = { paths, mac: parameters.mac, network: progress.network, reporter };
  const loaded = loadQemu(host, phase, qemu);
  progress.network = loaded.network;
  stop('execute');
  reporter.report('executing');
  reporter.say('execute', `qemu, ${phase.start.firmware}, ${phase.start.display}: Ctrl+A C is its monitor`);
  seedBeside(host, phase, options);
  runQemu(host, phase.start, loaded, qemu);
  return 'stay';
}

/** The server keeps the choice for the next boot script: rebooting before it knows would lose it. */
function runReboot(host: Host, image: string, { reporter }: PhaseOptions): PhaseEnd {
  reporter.say('reboot', `${image}: the next boot script starts it`);
  while (!reporter.report('rebooting', { image })) host.sleep(2000);
  return 'reboot';
}

function seedBeside(host: Host, phase: ExecPhase | QemuPhase, options: PhaseOptions): void {
  options.progress.swarm?.stop();
  options.progress.swarm = undefined;
  options.progress.seeder = startSeeder(host, seederOptions(phase, options));
}

function seederOptions({ torrents }: { readonly torrents: readonly string[] }, { paths, verified }: PhaseOptions) {
  return { paths, torrents, uploadBytesPerSecond: verified.catalog.swarm.uploadBytesPerSecond };
}

function targetOptions(options: PhaseOptions) {
  const { paths, progress, verified, machine, parameters } = options;
  const { kernelRelease } = machine;
  const who = { site: verified.catalog.site, mac: parameters.mac, network: progress.network };
  return { paths, kernelRelease, ...who, session: sessionFile(options) };
}

function sessionFile({ parameters, verified }: PhaseOptions): SessionFile {
  const { server, session, mac } = parameters;
  const { name, manifest } = verified.image;
  const { site } = verified.catalog;
  return { SERVER: server, SESSION: session, MAC: mac, SITE: site, IMAGE: name, MANIFEST: manifest.digest };
}
