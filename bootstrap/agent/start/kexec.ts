import { Fault } from '#bundle/fault.ts';
import { lastLine } from '../command.ts';
import type { Host, Outcome } from '../host.ts';
import type { Network } from '../network.ts';
import type { KexecPhase } from '../phases.ts';
import { runWatched } from '../watched.ts';
import { joinInitrds } from './initrd.ts';
import type { SessionFile } from './session-file.ts';

export interface KexecOptions {
  /** The folder that the phase's paths are in. */
  readonly root: string;
  readonly session: SessionFile;
  /** Called often: loading a large image takes seconds. */
  readonly meanwhile: () => void;
}

/**
 * Memory that the kernel takes for kexec_file_load counts as nobody's: when it runs out (seen: 278 MB on a machine of
 * 1024 MiB) this process must be the one that ends, not the agent. kexec_load is content with less, and comes next.
 */
const expendable = ['sh', '-c', 'echo 1000 >/proc/$$/oom_score_adj; exec "$@"', 'sh'];

/**
 * Loads the kernel beside the running one; nothing is lost when that fails. First by kexec_file_load, then by the
 * older kexec_load: one or the other refuses some kernels.
 * @throws Fault `KEXEC_LOAD_FAILED`
 */
export function loadKexec(host: Host, phase: KexecPhase, options: KexecOptions): void {
  const initrd = joinInitrds(host, phase, options);
  const given = [`${options.root}/${phase.kernel}`, ...(initrd === undefined ? [] : [`--initrd=${initrd}`])];
  // One argument, whatever is in it: the command line reaches the kernel exactly as written.
  const argv = ['-l', ...given, `--command-line=${phase.cmdline}`];
  const load = (call: '-s' | '-c') => runWatched(host, [...expendable, 'kexec', call, ...argv], options.meanwhile);
  const byFile = load('-s');
  if (byFile.status === 0) return;
  const older = load('-c');
  if (older.status === 0) return;
  throw new Fault(
    'KEXEC_LOAD_FAILED',
    `Cannot load the kernel: ${reason(older)}; by kexec_file_load: ${reason(byFile)}`,
    {
      hint: 'Too little memory, or no kernel of this architecture',
    },
  );
}

/**
 * Starts the loaded kernel and does not return. The NIC goes down first: a card that still writes packets into
 * memory corrupts the next kernel.
 * @throws Fault `KEXEC_FAILED`
 */
export function executeKexec(host: Host, network: Network): never {
  network.udhcpc.stop();
  host.run(['ip', 'link', 'set', 'dev', network.interface, 'down']);
  const outcome = host.run(['kexec', '-e']);
  host.run(['ip', 'link', 'set', 'dev', network.interface, 'up']);
  throw new Fault('KEXEC_FAILED', `Cannot start the loaded kernel: ${reason(outcome)}`);
}

function reason({ status, stdout, stderr }: Outcome): string {
  const said = lastLine(stderr) || lastLine(stdout);
  if (status === -9) return 'it was killed, there is too little memory';
  return said || `kexec ended with ${status}`;
}
