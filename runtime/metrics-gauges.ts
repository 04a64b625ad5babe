import { countPhases } from './boot/nodes.ts';
import { type BootSession, currentPhase } from './boot/session.ts';
import type { Status } from './dashboard/view.ts';
import type { gaugeIn } from './metrics-registry.ts';

/** What gauges are made from at a scrape. */
export interface Gauges {
  readonly status: Pick<Status, 'ready' | 'refused' | 'serial' | 'suspendedSince' | 'building'>;
  readonly sessions: readonly BootSession[];
  /** Of those, the ones that say nothing though they should. */
  readonly stalled: readonly BootSession[];
  readonly fallbackCount: number;
  readonly isDraining: boolean;
  /** DHCP packets ignored since the start, by reason. */
  readonly ignored: Readonly<Record<string, number>>;
  /** What is given out: of the menu, and for boots that began with older versions. */
  readonly served: { readonly bundles: number; readonly draining: number; readonly bytes: number };
  /** When the repository was asked with success; milliseconds since 1970. Absent: not yet. */
  readonly gitSuccessMs?: number;
  /** After the last garbage collection of this process. Absent: there was none. */
  readonly storeBytes?: number;
  readonly storeFreeBytes: number;
}

export type GaugeSet = ReturnType<typeof openGauges>;

export function openGauges(gauge: ReturnType<typeof gaugeIn>) {
  return {
    ready: gauge('ready', '1 when nodes can boot: a verified catalog is served, whole and seeded'),
    draining: gauge('draining', '1 when no new boot begins because the runtime is about to end'),
    suspended: gauge('suspended', '1 when publishing is held'),
    building: gauge('building', '1 while a revision is being built or published'),
    refused: gauge('revision_refused', '1 when the newest revision is not served'),
    serial: gauge('catalog_serial', 'Serial of the served catalog'),
    git: gauge('git_last_success_seconds', 'When the repository was asked with success last; seconds since 1970'),
    nodes: gauge('nodes', 'Nodes by the phase of their newest boot session', ['phase']),
    stalled: gauge('nodes_stalled', 'Nodes that say nothing though they should, by their last phase', ['phase']),
    fallenBack: gauge('nodes_fallen_back', 'Nodes that get an older release because the published one failed'),
    ignored: gauge('dhcp_ignored', 'DHCP packets not answered since the start, by reason', ['reason']),
    bundles: gauge('served_bundles', 'Bundles that are verified and given out'),
    older: gauge('served_bundles_draining', 'Of those, the ones that only boots with an older version still need'),
    bytes: gauge('served_bytes', 'Bytes of all files of the bundles that are given out'),
    store: gauge('store_bytes', 'Bytes in the store after the last garbage collection of this process'),
    free: gauge('store_free_bytes', 'Bytes that are free on the file system of the store'),
    lag: gauge('event_loop_lag_seconds', 'Delay of the event loop since the last scrape', ['quantile']),
    memory: gauge('process_resident_bytes', 'Memory of the process'),
    cpu: gauge('process_cpu_seconds', 'Processor time of the process since its start'),
    started: gauge('process_start_seconds', 'When the process started; seconds since 1970'),
  };
}

export function setGauges(set: GaugeSet, from: Gauges, lag: { p50: number; p99: number; max: number }): void {
  const { status, served } = from;
  set.ready.set(status.ready ? 1 : 0);
  set.draining.set(from.isDraining ? 1 : 0);
  set.suspended.set(status.suspendedSince === undefined ? 0 : 1);
  set.building.set(status.building ? 1 : 0);
  set.refused.set(status.refused ? 1 : 0);
  set.serial.set(status.serial ?? 0);
  set.git.set((from.gitSuccessMs ?? 0) / 1000);
  set.fallenBack.set(from.fallbackCount);
  set.bundles.set(served.bundles);
  set.older.set(served.draining);
  set.bytes.set(served.bytes);
  if (from.storeBytes !== undefined) set.store.set(from.storeBytes);
  set.free.set(from.storeFreeBytes);
  setNodes(set, from);
  set.lag.set({ quantile: '0.5' }, lag.p50);
  set.lag.set({ quantile: '0.99' }, lag.p99);
  set.lag.set({ quantile: '1' }, lag.max);
  const { user, system } = process.cpuUsage();
  set.cpu.set((user + system) / 1e6);
  set.memory.set(process.memoryUsage.rss());
  set.started.set(Math.round(performance.timeOrigin / 1000));
}

function setNodes(set: GaugeSet, { sessions, stalled, ignored }: Gauges): void {
  for (const one of [set.nodes, set.stalled, set.ignored]) one.reset();
  for (const [phase, number] of countPhases(sessions)) set.nodes.set({ phase }, number);
  for (const session of stalled) set.stalled.inc({ phase: currentPhase(session) });
  for (const [reason, number] of Object.entries(ignored)) set.ignored.set({ reason }, number);
}
