import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { parseSessionId } from '#bundle/digest.ts';
import type { Fault } from '#bundle/fault.ts';
import type { BootEvent } from './boot/event.ts';
import type { Menu } from './boot/menu.ts';
import { type Changes, openChanges } from './changes.ts';
import { type Component, runAll } from './component.ts';
import { type Drain, openDrain } from './drain.ts';
import { openCollectorOf, openFollowerOf, openReconcilerOf, openServingOf } from './following.ts';
import { type Here, openHere, type RuntimeOptions } from './here.ts';
import { listeners } from './listeners.ts';
import { type Metrics, openMetrics } from './metrics.ts';
import { type NodeTable, openNodeTable } from './node-table.ts';
import { openOrders } from './orders.ts';
import { openSockets } from './packet-servers.ts';
import { openRecorder, type Recorder } from './recorder.ts';
import { controlSocketPath, lockState } from './state-lock.ts';
import { openSteering } from './steering.ts';
import { Seeder } from './swarm/seeder.ts';
import { systemdNotifier } from './systemd/notifier.ts';
import { createTracker } from './tracker/http.ts';
import { watchStore } from './watch-store.ts';
import { openWatching } from './watching.ts';

/**
 * The whole runtime: follows the repository, serves nodes and people, until `signal` aborts.
 * @throws Fault `STATE_LOCKED`, `CONFIG_INVALID`, `DEFINITIONS_INVALID`, `INTERFACE_UNKNOWN`, `INTERFACE_NOT_BOUND`, and those of
 * parts that cannot go on
 */
export async function runRuntime(options: RuntimeOptions, signal: AbortSignal): Promise<void> {
  const { log, statePath, pid } = options;
  const lock = await lockState(statePath, pid);
  try {
    const here = await openHere(options, signal);
    const components = await compose(here);
    log.info({ pid, site: here.site.site, interface: here.site.network.interface, ...here.address }, 'runtime starts');
    await runAll(components, signal);
    log.info({ pid }, 'runtime ended');
  } finally {
    await lock.release();
  }
}

const now = () => Date.now();
const random = () => Math.random();

/** Everything that runs, joined; what was published before is served from the first packet on. */
async function compose(here: Here): Promise<readonly Component[]> {
  const changes = openChanges();
  const metrics = openMetrics();
  const onEvent = (event: BootEvent) => {
    metrics.count(event);
    changes.tell();
  };
  const table: NodeTable = openNodeTable({
    ...{ path: join(here.options.statePath, 'nodes.db'), now, log: here.options.log, onEvent, onSilence: changes.tell },
    onChange: metrics.changed,
    ...{ menu: () => serving.current().menu, older: (catalog) => reconciler.older(catalog) },
    newSession: () => parseSessionId(randomBytes(16).toString('hex')),
  });
  const emit = (event: BootEvent) => void table.take(event);
  const seeder = openSeeder(here, { table, emit });
  const tracker = openTracker(here, { table, emit, seeder });
  const drain = openDrainOf(here, table);
  const serving = openServingOf(here, seeder);
  const recorder = await openRecorderOf(here, metrics);
  const onMenu = ({ catalog }: Menu) => {
    changes.tell();
    // What the follower publishes it records itself, with the time that it took.
    if (!follower.conditions().building) void recorder.found(catalog);
  };
  const onDamage = () => follower.again();
  const reconciler = openReconcilerOf(here, { serving, seeder, tracker, table, onMenu, onDamage });
  const collector = openCollectorOf(here, { table, reconciler, serving });
  const orders = await openOrders(here.options.statePath);
  const follower = openFollowerOf(here, { reconciler, recorder, collector, orders, onChange: changes.tell });
  const steering = openSteering({ orders, follower, now });
  const watching = openWatching(here, { follower, onTrouble: changes.tell, onRefused: recordRefusal(recorder) });
  const sockets = await openSockets(here, { serving, emit, table, drain });
  await reconciler.once();
  const parts = {
    ...{ metrics, changes, table, tracker, serving, reconciler },
    ...{ follower, watching, sockets, collector, steering, drain },
  };
  const answering = [...listeners(here, parts), ...openNotifier(here, changes)];
  const following = [reconciler, watchStore(here.store.path, reconciler.ring), follower, watching.component];
  return [...sockets.components, seeder, ...answering, table, ...following, drain];
}

/** For a service manager, where one started this. */
function openNotifier({ options, address, site }: Here, changes: Changes): readonly Component[] {
  const { environment, pid, log, statePath } = options;
  const boot = { host: address.address, port: site.network.http.port };
  return systemdNotifier({ environment, pid, log, changes, boot, controlSocket: controlSocketPath(statePath) });
}

/** What git or its limits refuse never comes to the follower, which records all else. */
function recordRefusal(recorder: Recorder): (fault: Fault) => void {
  return ({ code, message, hint, retry }) => {
    const shown = { code, message, ...(hint !== undefined && { hint }) };
    void recorder.record({ kind: 'refused', faults: [shown], retry });
  };
}

function openRecorderOf({ options: { statePath, log }, mirror }: Here, metrics: Metrics): Promise<Recorder> {
  return openRecorder({ statePath, mirrorPath: mirror.path, log, now, onRecord: metrics.recorded });
}

function openDrainOf({ options: { log } }: Here, { nodes }: NodeTable): Drain {
  return openDrain({ sessions: nodes.list, now, log });
}

type Known = { readonly table: NodeTable; readonly emit: (event: BootEvent) => void };

function openSeeder({ address, options }: Here, { table, emit }: Known): Seeder {
  const isNode = (at: string) => !!table.nodes.at(at);
  return new Seeder({ host: address.address, log: options.log, emit, nowMs: now, random, isNode });
}

function openTracker({ address }: Here, { table: { nodes }, emit, seeder }: Known & { readonly seeder: Seeder }) {
  return createTracker({
    origin: () => ({ address: address.address, port: seeder.port }),
    admits: (session, from) => [undefined, from].includes(nodes.of(session)?.address) && !!nodes.of(session),
    ...{ emit, random },
  });
}
