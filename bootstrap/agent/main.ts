import * as std from 'std';
import { openBoot } from './boot.ts';
import { breakpointsOf } from './breakpoint.ts';
import { findConsoles } from './consoles.ts';
import type { Host } from './host.ts';
import { openLog, withLog } from './log.ts';
import { readMemory } from './memory.ts';
import { formatMissing, missingDrivers } from './missing-drivers.ts';
import { bringUp } from './network.ts';
import { type BootParameters, parseParameters } from './parameters.ts';
import { bootstrapPaths as paths } from './paths.ts';
import { openHost } from './quickjs-host.ts';
import { faultOf, formatLine, openReporter, type Reporter } from './reporter.ts';
import { retryPauseMs } from './retry.ts';

/** Exit statuses that `init` acts on; after any other one it starts the agent again. */
const exitStatus = { 'switch-root': 10, reboot: 11, poweroff: 12 } as const;

const machine = openHost({ workPath: '/work', ...findConsoles() });

try {
  const parameters = parseParameters(machine.readText('/proc/cmdline') ?? '');
  const log = openLog();
  const host = withLog(machine, log, parameters.isDebug);
  std.exit(exitStatus[run(host, parameters, openReporter(host, parameters, log))]);
} catch (error) {
  const fault = faultOf(error);
  machine.print(formatLine(machine.uptimeMs(), 'failed', `${fault.message} [${fault.code}]`));
  std.exit(1);
}

/** Tries for ever, until there is something for PID 1 to do. */
function run(host: Host, parameters: BootParameters, reporter: Reporter): keyof typeof exitStatus {
  const say = (text: string) => reporter.say('network', text);
  breakpointsOf(host, { parameters, reporter })('net');
  const network = bringUp(host, { mac: parameters.mac, paths, say });
  say(`${network.interface} has ${network.lease.address}, server ${parameters.server}`);
  reportMachine(host, reporter);
  const attempt = openBoot(host, { parameters, paths, network, reporter });
  for (let failures = 1; ; failures += 1) {
    const end = attempt();
    if (end === 'stay') stay(host, reporter);
    if (end === 'switch-root' || end === 'reboot' || end === 'poweroff') return end;
    const pauseMs = retryPauseMs(failures, Math.random());
    const what = end === 'retry-by-reboot' ? 'rebooting' : 'trying again';
    reporter.say('retry', `${what} in ${Math.round(pauseMs / 1000)} s`);
    host.sleep(pauseMs);
    if (end === 'retry-by-reboot') return 'reboot';
  }
}

function reportMachine(host: Host, reporter: Reporter): void {
  const missing = missingDrivers(host);
  for (const one of missing) reporter.say('hardware', formatMissing(one));
  const ids = [...new Set(missing.map(({ id }) => id))].slice(0, 100);
  reporter.report('network', { memoryBytes: readMemory(host).totalBytes, missingDrivers: ids });
}

/** The program is over, and others may still need what this node has. */
function stay(host: Host, reporter: Reporter): never {
  reporter.say('stay', 'it is over; this node goes on seeding until it is switched off or reset');
  for (;;) {
    host.sleep(5000);
    reporter.catchUp();
  }
}
