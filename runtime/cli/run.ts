import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import { openLog } from '../log.ts';
import { checkUnlocked } from '../state-lock.ts';
import { findPlace, loadSiteHere, type PlaceFlags, withPlace } from './builder.ts';
import { exitOnSignal } from './signal.ts';

interface Flags extends PlaceFlags {
  readonly logLevel: string;
  readonly builderNetns?: string;
}

const launcher = fileURLToPath(new URL('../sockets/launch.pl', import.meta.url));
const main = fileURLToPath(new URL('main.ts', import.meta.url));

/** `boottorrent run`: the runtime, until SIGTERM or Ctrl+C. */
export function runCommand(): Command {
  return withPlace(new Command('run'))
    .description('Serve this site: DHCP, TFTP, HTTP, tracker and origin seeder, following its repository')
    .option('--builder-netns <file>', 'network namespace for builds (default: the one that this runs in)')
    .option('--log-level <level>', 'debug, info, warn or error', 'info')
    .option(
      '--builder-network <file>',
      'network namespace that builds run in, which need a package mirror (default: own)',
    )
    .action(run);
}

async function run(flags: Flags): Promise<void> {
  const signal = exitOnSignal();
  const place = await findPlace(flags);
  const { site, storePath } = await loadSiteHere(place, flags);
  await checkUnlocked(place.statePath);
  const { interfaceAddress } = await import('../sockets/interface.ts');
  await interfaceAddress(site.network.interface, site.network.address);
  if (process.env.LISTEN_PID !== String(process.pid)) launchWithSockets(site.network);
  const { runRuntime } = await import('../main.ts');
  await runRuntime(
    {
      ...{ configPath: place.configPath, statePath: place.statePath, storePath },
      ...(flags.overlay !== undefined && { overlayPath: resolve(flags.overlay) }),
      builder: builder(flags),
      builderOptions: placeOptions(flags, place),
      ...{ environment: process.env, pid: process.pid, log: openLog({ level: flags.logLevel }) },
    },
    signal,
  );
}

/**
 * Becomes the launcher, which opens UDP 67, 4011 and 69 bound to the interface and becomes this command again, under
 * the same process id. Started by systemd with sockets of its own, this is left out.
 */
function launchWithSockets(network: { readonly interface: string; readonly dhcp: { readonly mode: string } }): void {
  const names = network.dhcp.mode === 'off' ? 'tftp' : 'dhcp,pxe,tftp';
  const again = [process.execPath, ...process.execArgv, ...process.argv.slice(1)];
  process.execve?.('/usr/bin/perl', ['perl', launcher, `--sockets=${names}`, network.interface, ...again], {
    ...process.env,
  });
}

/** Where nodes are served from a network without a way out, builds still need the Debian archive. */
function builder({ builderNetns }: Flags): readonly string[] {
  const program = [process.execPath, main];
  return builderNetns === undefined ? program : ['nsenter', `--net=${builderNetns}`, ...program];
}

/** The nodes' network may have no way to a mirror: the lab's has none. */
function enter(network: string | undefined): readonly string[] {
  return network === undefined ? [] : ['nsenter', `--net=${resolve(network)}`];
}

function placeOptions(flags: PlaceFlags, place: { readonly configPath: string }): readonly string[] {
  return [
    ...['--config', place.configPath],
    ...(flags.state === undefined ? [] : ['--state', resolve(flags.state)]),
    ...(flags.overlay === undefined ? [] : ['--overlay', resolve(flags.overlay)]),
  ];
}
