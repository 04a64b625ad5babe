import type { Mac } from '#bundle/digest.ts';
import { Fault } from '#bundle/fault.ts';
import type { QemuStart } from '#bundle/start.ts';
import { lastLine, runOrFail } from '../command.ts';
import type { Host } from '../host.ts';
import type { Network } from '../network.ts';
import type { Paths } from '../paths.ts';
import type { QemuPhase } from '../phases.ts';
import type { Reporter } from '../reporter.ts';
import { retryPauseMs } from '../retry.ts';
import { makeBridge, tapScriptPath } from './bridge.ts';
import { type ConsoleProgram, startTerminal } from './console-program.ts';
import { type QemuPaths, qemuArguments } from './qemu-arguments.ts';

export interface QemuOptions {
  readonly paths: Paths;
  readonly mac: Mac;
  readonly network: Network;
  readonly reporter: Reporter;
}

/** What {@link loadQemu} has found out and set up. */
export interface LoadedQemu {
  readonly network: Network;
  argv(serialLog: string): readonly string[];
}

/** How soon a QEMU that cannot run with its arguments has ended. */
const settleMs = 1500;
const pollMs = 500;
/** A machine that ran for so long did not fail at its start: the next pause is short again. */
const soundMs = 60_000;

/**
 * Mounts QEMU, loads what the kernel needs for it, and makes the bridge.
 * @throws Fault `QEMU_UNMOUNTABLE`, `BRIDGE_FAILED`
 */
export function loadQemu(host: Host, phase: QemuPhase, options: QemuOptions): LoadedQemu {
  const { run } = options.paths;
  const tools = `${run}/qemu`;
  must(host, ['mkdir', '-p', tools, `${run}/machine`]);
  must(host, ['mount', '-t', 'squashfs', '-o', 'ro,loop', `${run}/${phase.tools}`, tools]);
  // What the guest writes: half of the RAM at most, and not in the way of what is seeded.
  must(host, ['mount', '-t', 'tmpfs', '-o', 'mode=0700', 'tmpfs', `${run}/machine`]);
  loadModules(host, phase.start, tools);
  const uefiVariables = `${run}/machine/uefi-variables.fd`;
  if (phase.start.firmware === 'uefi') must(host, ['cp', `${tools}/share/OVMF/OVMF_VARS_4M.fd`, uefiVariables]);
  const network = phase.start.network === 'bridge' ? makeBridge(host, options.network, options.paths) : options.network;
  const hasKvm = canUseKvm(host, tools);
  options.reporter.say('qemu', hasKvm ? 'with KVM' : 'without KVM: the processor is emulated, which is slow');
  const files = Object.fromEntries(Object.entries(phase.files).map(([name, path]) => [name, `${run}/${path}`]));
  const paths = (serialLog: string): QemuPaths => ({
    ...{ tools, files, uefiVariables, serialLog },
    tapScript: tapScriptPath(run),
  });
  // Where QEMU puts the layers of the disks, and where it finds parts of itself.
  const environment = ['env', `TMPDIR=${run}/machine`, `QEMU_MODULE_DIR=${tools}/lib/qemu`];
  const argv = (serialLog: string) => qemuArguments(phase.start, paths(serialLog), { hasKvm, mac: options.mac });
  const inFolder = ['sh', '-c', 'cd "$0" && exec "$@"', `${run}/${phase.folder}`];
  return { network, argv: (serialLog) => [...inFolder, ...environment, ...argv(serialLog)] };
}

/** Takes down what {@link loadQemu} has mounted. */
export function undoQemu(host: Host, { run }: Paths): void {
  for (const name of ['machine', 'qemu'].filter((one) => host.list(`${run}/${one}`).length > 0)) {
    host.run(['umount', '-l', `${run}/${name}`]);
  }
}

/**
 * Runs the virtual machine to its end, and again as the definition says.
 * @throws Fault `QEMU_FAILED` when it does not start at all
 */
export function runQemu(host: Host, start: QemuStart, loaded: LoadedQemu, { reporter }: QemuOptions): void {
  for (let failures = 1; ; failures += 1) {
    const startedMs = host.uptimeMs();
    const machine = startTerminal(host, loaded.argv);
    if (!isRunningAfter(host, machine, settleMs) && failures === 1) throw unstartable(machine);
    reporter.report('up');
    for (; machine.poll() === undefined; host.sleep(pollMs)) reporter.catchUp();
    const exitStatus = machine.poll() ?? 0;
    reporter.report('ended', { exitStatus, output: machine.output() });
    reporter.say('ended', `the virtual machine ended with ${exitStatus}`);
    if (start.restart === 'never' || (start.restart === 'on-failure' && exitStatus === 0)) return;
    if (host.uptimeMs() - startedMs > soundMs) failures = 1;
    const pauseMs = retryPauseMs(failures, 0);
    reporter.say('qemu', `starting it again in ${pauseMs / 1000} s`);
    host.sleep(pauseMs);
  }
}

function isRunningAfter(host: Host, machine: ConsoleProgram, waitMs: number): boolean {
  for (const endMs = host.uptimeMs() + waitMs; host.uptimeMs() < endMs; host.sleep(50)) {
    if (machine.poll() !== undefined) return machine.poll() === 0;
  }
  return true;
}

function unstartable(machine: ConsoleProgram): Fault {
  const said = lastLine(machine.output()) || `it ended with ${machine.poll()}`;
  return new Fault('QEMU_FAILED', `Cannot start the virtual machine: ${said}`, {
    hint: 'Look at the keys of qemu in the definition, at its arguments first',
  });
}

/** Busybox looks for modules in one place only: those of the part are put there. */
function loadModules(host: Host, { network }: QemuStart, tools: string): void {
  must(host, ['mkdir', '-p', '/lib/modules']);
  must(host, ['mount', '-o', 'bind', `${tools}/lib/modules`, '/lib/modules']);
  for (const name of ['kvm_intel', 'kvm_amd']) host.run(['modprobe', name]);
  if (network === 'bridge') for (const name of ['tun', 'bridge', 'vhost_net']) host.run(['modprobe', name]);
  host.run(['umount', '/lib/modules']);
}

/** Asks QEMU itself: a device node that is there may still refuse. */
function canUseKvm(host: Host, tools: string): boolean {
  if (host.list('/dev').every((name) => name !== 'kvm')) return false;
  const qemu = [`${tools}/lib/ld.so`, '--library-path', `${tools}/lib`, `${tools}/bin/qemu-system-x86_64`];
  const machine = ['-machine', 'none', '-accel', 'kvm', '-nodefaults', '-display', 'none', '-monitor', 'stdio'];
  return host.run(['sh', '-c', 'echo quit | timeout 10 "$@"', 'sh', ...qemu, ...machine]).status === 0;
}

function must(host: Host, argv: readonly string[]): void {
  runOrFail(host, argv, { code: 'QEMU_UNMOUNTABLE', purpose: `prepare QEMU (${argv.slice(0, 5).join(' ')})` });
}
