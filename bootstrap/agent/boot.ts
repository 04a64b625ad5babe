import { breakpointsOf } from './breakpoint.ts';
import { chooseBoot } from './choose-boot.ts';
import type { Host } from './host.ts';
import { lookAtMachine } from './machine.ts';
import { release } from './memory.ts';
import type { Network } from './network.ts';
import type { BootParameters } from './parameters.ts';
import type { Paths } from './paths.ts';
import { phases } from './phases.ts';
import { faultOf, type Reporter } from './reporter.ts';
import { type PhaseEnd, type Progress, runPhase } from './run-phase.ts';
import { undoQemu } from './start/qemu.ts';
import { undoRoot } from './start/root.ts';

export interface BootOptions {
  readonly parameters: BootParameters;
  readonly paths: Paths;
  readonly network: Network;
  readonly reporter: Reporter;
}

/** `retry`: from the ticket. `retry-by-reboot`: only that helps. kexec does not return. */
export type BootEnd = PhaseEnd | 'retry' | 'retry-by-reboot';

/** Faults after which the bootstrap is not what it was: another one is served, or its lease was given away. */
const needReboot: readonly string[] = ['BOOTSTRAP_OUTDATED', 'HANDOVER_FAILED', 'KEXEC_FAILED'];
/** Tries before the node asks for a boot session anew, from its firmware. */
const unknownSessionTries = 3;

/** One attempt, from the ticket to the start of the OS. Every fault is reported, and what was built is taken down. */
export type Attempt = () => BootEnd;

/** What attempts remember of each other: the person's choice, and how often the server did not know this node. */
export function openBoot(host: Host, options: BootOptions): Attempt {
  const { reporter, paths, parameters } = options;
  const progress: Progress = { network: options.network };
  const stop = breakpointsOf(host, options);
  let chosen: string | undefined;
  let unknownSessions = 0;

  function attempt(): PhaseEnd {
    const machine = lookAtMachine(host, parameters);
    reporter.setImage(undefined);
    stop('ticket');
    const { ticket, verified, keyed } = chooseBoot(host, { ...options, machine, chosen });
    if (keyed && keyed.length > 0) chosen = verified.image.name;
    unknownSessions = 0;
    for (const phase of phases(ticket, machine, verified)) {
      const end = runPhase(host, phase, { ...options, machine, verified, keyed, progress, stop });
      if (end !== undefined) return end;
    }
    throw new TypeError('the last phase of a boot has an end');
  }
  function cleanUp(): void {
    progress.swarm?.stop();
    progress.seeder?.stop();
    progress.swarm = undefined;
    progress.seeder = undefined;
    undoRoot(host, paths);
    undoQemu(host, paths);
    release(host, paths);
  }
  return () => {
    try {
      return attempt();
    } catch (error) {
      const fault = faultOf(error);
      reporter.failed(fault);
      cleanUp();
      // Nothing changes about it by itself: another choice may help.
      if (fault.retry === 'stalled') chosen = undefined;
      unknownSessions = fault.code === 'SESSION_UNKNOWN' ? unknownSessions + 1 : 0;
      const isHopeless = unknownSessions >= unknownSessionTries || needReboot.includes(fault.code);
      return isHopeless ? 'retry-by-reboot' : 'retry';
    }
  };
}
