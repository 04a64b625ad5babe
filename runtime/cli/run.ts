import { readFile } from 'node:fs/promises';
import { flushCompileCache } from 'node:module';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import type { SiteFile } from '#definition/site-schema.ts';
import { openLog } from '../log.ts';
import { programPath } from '../program.ts';
import { checkUnlocked } from '../state-lock.ts';
import { findPlace, loadSiteHere, type Place, type PlaceFlags, withPlace } from './builder.ts';
import { exitOnSignal } from './signal.ts';

interface Flags extends PlaceFlags {
  readonly logLevel: string;
  readonly builderNetns?: string;
  readonly builderSocket?: string;
  readonly store?: string;
}

const launcher = fileURLToPath(new URL('../sockets/launch.pl', import.meta.url));

/** `boottorrent run`: the runtime, until SIGTERM or Ctrl+C. */
export function runCommand(): Command {
  return withPlace(new Command('run'))
    .description('Serve this site: DHCP, TFTP, HTTP, tracker and origin seeder, following its repository')
    .option('--builder-netns <file>', 'network namespace for builds (default: the one that this runs in)')
    .option('--builder-socket <path>', 'have builds made by the builder that listens there, as another user')
    .option('--store <directory>', 'with --builder-socket: what the builder publishes in; only read')
    .option('--log-level <level>', 'debug, info, warn or error', 'info')
    .action(run);
}

async function run(flags: Flags): Promise<void> {
  const signal = exitOnSignal();
  const place = await findPlace(flags);
  await checkUnlocked(place.statePath);
  if (process.env.LISTEN_PID !== String(process.pid)) await launchWithSockets(place, flags);
  const storePath = flags.store === undefined ? (await loadSiteHere(place, flags)).storePath : resolve(flags.store);
  const { runRuntime } = await import('../main.ts');
  // Otherwise written at the end, which a killed process does not come to.
  setTimeout(flushCompileCache, 5000).unref();
  await runRuntime(
    {
      ...{ configPath: place.configPath, statePath: place.statePath, storePath },
      isStoreReadOnly: flags.builderSocket !== undefined,
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
async function launchWithSockets(place: Place, flags: Flags): Promise<void> {
  const network = (await glanceAtNetwork(place)) ?? (await loadSiteHere(place, flags)).site.network;
  const { interfaceAddress } = await import('../sockets/interface.ts');
  await interfaceAddress(network.interface, network.address);
  const names = network.dhcp?.mode === 'off' ? 'tftp' : 'dhcp,pxe,tftp';
  const again = [process.execPath, ...process.execArgv, ...process.argv.slice(1)];
  flushCompileCache();
  process.execve?.('/usr/bin/perl', ['perl', launcher, `--sockets=${names}`, network.interface, ...again], {
    ...process.env,
  });
}

type NetworkGlance = Pick<SiteFile['network'], 'interface' | 'address' | 'dhcp'>;

/**
 * What the launcher needs of the site, without the schemas, which take a third of a second to load: the process that
 * this one becomes checks everything. Undefined where it does not look right.
 */
async function glanceAtNetwork({ configPath, overlay }: Place): Promise<NetworkGlance | undefined> {
  const { parse } = await import('yaml');
  try {
    const file = parse(await readFile(configPath, 'utf8'), { maxAliasCount: 10 }) as SiteFile;
    const above = (overlay?.network ?? {}) as Partial<NetworkGlance>;
    const network = { ...file.network, ...above, dhcp: { ...file.network.dhcp, ...above.dhcp } };
    return /^[A-Za-z0-9._-]{1,15}$/.test(network.interface) ? network : undefined;
  } catch {
    return undefined;
  }
}

/** Where nodes are served from a network without a way out, builds still need the Debian archive. */
function builder({ builderNetns, builderSocket }: Flags): readonly string[] {
  const program = [process.execPath, programPath];
  if (builderSocket !== undefined) return [...program, 'builder', 'ask', resolve(builderSocket)];
  return builderNetns === undefined ? program : ['nsenter', `--net=${builderNetns}`, ...program];
}

function placeOptions(flags: PlaceFlags, place: { readonly configPath: string }): readonly string[] {
  return [
    ...['--config', place.configPath],
    ...(flags.state === undefined ? [] : ['--state', resolve(flags.state)]),
    ...(flags.overlay === undefined ? [] : ['--overlay', resolve(flags.overlay)]),
  ];
}
