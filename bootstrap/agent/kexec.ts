import { Fault } from '#bundle/fault.ts';
import { lastLine, runOrFail } from './command.ts';
import type { Host } from './host.ts';
import type { Network } from './network.ts';
import type { Phase } from './phases.ts';

type KexecPhase = Extract<Phase, { kind: 'kexec' }>;

/**
 * Loads the kernel beside the running one; nothing is lost when that fails. First by kexec_file_load, then by the
 * older kexec_load: one or the other refuses some kernels.
 * @param root the folder that the phase's paths are in
 * @throws Fault `KEXEC_LOAD_FAILED`
 */
export function loadKexec(host: Host, phase: KexecPhase, root: string): void {
  const initrd = joinInitrds(host, phase, root);
  const given = [`${root}/${phase.kernel}`, ...(initrd === undefined ? [] : [`--initrd=${initrd}`])];
  // One argument, whatever is in it: the command line reaches the kernel exactly as written.
  const argv = ['-l', ...given, `--command-line=${phase.cmdline}`];
  const first = host.run(['kexec', '-s', ...argv]);
  if (first.status === 0) return;
  const second = host.run(['kexec', '-c', ...argv]);
  if (second.status === 0) return;
  const said = lastLine(second.stderr) || lastLine(first.stderr) || `kexec ended with ${second.status}`;
  throw new Fault('KEXEC_LOAD_FAILED', `Cannot load the kernel: ${said}`, {
    hint: 'Too little memory, or no kernel of this architecture',
  });
}

/**
 * Starts the loaded kernel and does not return. The NIC goes down first: a card that still writes packets into
 * memory corrupts the next kernel.
 * @throws Fault `KEXEC_FAILED`
 */
export function executeKexec(host: Host, network: Network): never {
  network.udhcpc.stop();
  host.run(['ip', 'link', 'set', 'dev', network.interface, 'down']);
  const { stderr } = host.run(['kexec', '-e']);
  host.run(['ip', 'link', 'set', 'dev', network.interface, 'up']);
  throw new Fault('KEXEC_FAILED', `Cannot start the loaded kernel: ${lastLine(stderr) || 'kexec returned'}`);
}

/** One file for the kernel: the initrds end to end, each padded to 4 bytes as cpio wants. */
function joinInitrds(host: Host, phase: KexecPhase, root: string): string | undefined {
  const [first, ...others] = phase.initrds.map((path) => `${root}/${path}`);
  if (first === undefined || others.length === 0) return first;
  const joined = `${root}/initrd`;
  const script = 'for f; do cat "$f"; n=$(($(stat -c %s "$f") % 4)); [ $n = 0 ] || head -c $((4 - n)) /dev/zero; done';
  const argv = ['sh', '-c', `{ ${script}; } > "$0"`, joined, first, ...others];
  runOrFail(host, argv, { code: 'KEXEC_LOAD_FAILED', purpose: 'join the initrds' });
  return joined;
}
