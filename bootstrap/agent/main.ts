import * as std from 'std';
import { boot } from './boot.ts';
import { bringUp } from './network.ts';
import { parseParameters } from './parameters.ts';
import { bootstrapPaths } from './paths.ts';
import { openHost } from './quickjs-host.ts';
import { faultOf, formatLine, openReporter } from './reporter.ts';
import { retryPauseMs } from './retry.ts';

/** Exit statuses that `init` acts on; after any other one it starts the agent again. */
const exitStatus = { switchRoot: 10, reboot: 11 } as const;

const host = openHost('/work');

try {
  const parameters = parseParameters(host.readText('/proc/cmdline') ?? '');
  const reporter = openReporter(host, parameters);
  const say = (text: string) => reporter.say('network', text);
  const network = bringUp(host, { mac: parameters.mac, paths: bootstrapPaths, say });
  say(`${network.interface} has ${network.lease.address}, server ${parameters.server}`);
  reporter.report('network');
  for (let failures = 1; ; failures += 1) {
    const end = boot(host, { parameters, paths: bootstrapPaths, network, reporter });
    if (end === 'switch-root') std.exit(exitStatus.switchRoot);
    const pauseMs = retryPauseMs(failures, Math.random());
    reporter.say('retry', `${end === 'reboot' ? 'rebooting' : 'trying again'} in ${Math.round(pauseMs / 1000)} s`);
    host.sleep(pauseMs);
    if (end === 'reboot') std.exit(exitStatus.reboot);
  }
} catch (error) {
  const fault = faultOf(error);
  host.print(formatLine(host.uptimeMs(), 'failed', `${fault.message} [${fault.code}]`));
  std.exit(1);
}
