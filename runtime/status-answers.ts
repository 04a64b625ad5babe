import { statfs } from 'node:fs/promises';
import type { BootReport } from '#bundle/boot-report.ts';
import type { Mac } from '#bundle/digest.ts';
import type { Fault } from '#bundle/fault.ts';
import { stalledSinceMs } from './boot/phases.ts';
import type { BootSession } from './boot/session.ts';
import type { Changes } from './changes.ts';
import { page } from './dashboard/page.ts';
import { type NodeAnswer, nodeView, nodeViews, type Status, statusView } from './dashboard/view.ts';
import type { StatusAnswers } from './http/status-listener.ts';
import type { Metrics } from './metrics.ts';
import type { Gauges } from './metrics-gauges.ts';
import type { NodeTable } from './node-table.ts';
import type { Reconciler } from './reconcile/loop.ts';
import type { Conditions, ShownFault } from './reconcile/outcome.ts';
import { readiness } from './reconcile/readiness.ts';
import type { Served } from './serving.ts';

export interface StatusAnswersOptions {
  readonly site: string;
  readonly table: Pick<NodeTable, 'nodes' | 'offers' | 'store'>;
  readonly changes: Changes;
  readonly metrics: Metrics;
  readonly served: () => Served;
  readonly conditions: () => Conditions;
  /** Publishing is held since then; ISO 8601. */
  readonly suspendedSince: () => string | undefined;
  readonly reconciler: Reconciler;
  /** Why the repository cannot be followed now. */
  readonly gitTrouble: () => Fault | undefined;
  readonly dhcpIgnored: () => Readonly<Record<string, number>>;
  readonly isDraining: () => boolean;
  /** When the repository was asked with success last. */
  readonly gitSuccessMs: () => number | undefined;
  /** What garbage collection left. */
  readonly storeBytes: () => number | undefined;
  readonly storePath: string;
  readonly now: () => number;
}

/** What people and scrapers ask for: folds over the same boot events that everything else is. */
export function statusAnswers(options: StatusAnswersOptions): StatusAnswers {
  const { table, metrics, changes } = options;
  const status = () => currentStatus(options, table.nodes.list());
  return {
    status,
    nodes: () => ({ nowMs: options.now(), nodes: status().nodes }),
    node: (mac) => nodeAnswer(options, mac),
    page,
    subscribe: changes.subscribe,
    metrics: async () => metrics.render(await gauges(options)),
  };
}

/** Without a view of each node: ten thousand of them take longer than a scrape should. */
async function gauges(options: StatusAnswersOptions): Promise<Gauges> {
  const { table, reconciler, now, gitSuccessMs, storeBytes } = options;
  const { verified, draining } = reconciler.observed();
  const sessions = table.nodes.list();
  const nowMs = now();
  const sizes = [...verified.values()].flatMap(({ files }) => files.map(({ sizeBytes }) => sizeBytes));
  const [git, store] = [gitSuccessMs(), storeBytes()];
  return {
    ...{ status: currentStatus(options, []), sessions, isDraining: options.isDraining() },
    stalled: sessions.filter((session) => stalledSinceMs(session, nowMs) !== undefined),
    ...{ fallbackCount: table.offers.fallbacks().length, ignored: options.dhcpIgnored() },
    served: { bundles: verified.size, draining: draining.size, bytes: sizes.reduce((sum, one) => sum + one, 0) },
    ...(git !== undefined && { gitSuccessMs: git }),
    ...(store !== undefined && { storeBytes: store }),
    storeFreeBytes: await freeBytes(options.storePath),
  };
}

async function freeBytes(path: string): Promise<number> {
  const { bavail, bsize } = await statfs(path);
  return bavail * bsize;
}

function nodeAnswer({ table, now }: StatusAnswersOptions, mac: Mac): NodeAnswer | undefined {
  const session = table.nodes.byMac(mac);
  if (!session) return undefined;
  const nowMs = now();
  const [node] = nodeViews({ sessions: [session], fallbacks: table.offers.fallbacks(), nowMs });
  const failedLog = table.store.logOf(mac);
  const earlier = table.store.earlier(mac).map((one) => nodeView(one, { nowMs, isOver: true }));
  return node && { nowMs, node, earlier, ...(failedLog && { failedLog }) };
}

/** The same for the control socket, which also takes reports of those who watch a node's console. */
export function controlAnswers(answers: StatusAnswers, report: (report: BootReport) => void): StatusAnswers {
  return { ...answers, report };
}

function currentStatus(options: StatusAnswersOptions, sessions: readonly BootSession[]): Status {
  const { menu, needsRestart, trouble } = options.served();
  const { draining, verified } = options.reconciler.observed();
  const suspendedSince = options.suspendedSince();
  const troubles = [options.reconciler.trouble(), trouble, options.gitTrouble()];
  return statusView({
    ...{ site: options.site, nowMs: options.now(), conditions: options.conditions(), needsRestart },
    ...(menu && { catalog: menu.catalog }),
    ...(suspendedSince !== undefined && { suspendedSince }),
    readiness: readiness(menu, options.reconciler.observed(), { isDraining: options.isDraining() }),
    troubles: troubles.flatMap((fault) => (fault ? [shown(fault)] : [])),
    draining: [...draining].map((manifest) => ({ name: verified.get(manifest)?.name ?? 'unknown', manifest })),
    ...{ sessions, fallbacks: options.table.offers.fallbacks() },
  });
}

function shown({ code, message, hint, location }: Fault): ShownFault {
  return { code, message, ...(hint !== undefined && { hint }), ...location };
}
