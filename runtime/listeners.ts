import { join } from 'node:path';
import type { FastifyInstance } from 'fastify';
import type { BootReport } from '#bundle/boot-report.ts';
import { Fault } from '#bundle/fault.ts';
import { addAdminRoutes } from './admin/route.ts';
import { adminRoutes } from './admin/routes.ts';
import { bootAnswers } from './boot-answers.ts';
import type { Changes } from './changes.ts';
import type { Component } from './component.ts';
import type { Drain } from './drain.ts';
import type { Collector } from './gc-child.ts';
import type { Here } from './here.ts';
import { type BootAnswers, bootListener } from './http/boot-listener.ts';
import { listener, parseListenAddress } from './http/listen.ts';
import { type StatusAnswers, statusListener } from './http/status-listener.ts';
import type { Metrics } from './metrics.ts';
import type { NodeTable } from './node-table.ts';
import type { Sockets } from './packet-servers.ts';
import { blobsOf } from './reconcile/desired.ts';
import type { Follower } from './reconcile/follow.ts';
import type { Reconciler } from './reconcile/loop.ts';
import type { Serving } from './serving.ts';
import { controlSocketPath } from './state-lock.ts';
import { controlAnswers, statusAnswers } from './status-answers.ts';
import type { Steering } from './steering.ts';
import { openSwarmNeeds } from './swarm-needs.ts';
import type { Tracker } from './tracker/http.ts';
import type { Watching } from './watching.ts';
import { addWebhook } from './webhook/webhook.ts';

/** What the listeners answer from. */
export interface Parts {
  readonly metrics: Metrics;
  readonly changes: Changes;
  readonly table: NodeTable;
  readonly tracker: Tracker;
  readonly serving: Serving;
  readonly reconciler: Reconciler;
  readonly follower: Follower;
  readonly watching: Watching;
  readonly steering: Steering;
  readonly sockets: Sockets;
  readonly collector: Collector;
  readonly drain: Drain;
}

const now = () => Date.now();

/** Three of them: for nodes, for people, and for administration on this machine. */
export function listeners(here: Here, parts: Parts): readonly Component[] {
  const { options, site, address, store } = here;
  const boot = { kind: 'tcp', host: address.address, port: site.network.http.port } as const;
  const blobsPath = join(store.path, 'blobs');
  const status = answersForPeople(here, parts);
  const onBusy = ({ code, message }: Fault, from: string) => options.log.warn({ code, address: from }, message);
  return [
    listener(
      'boot-http',
      bootListener({ answers: answersForNodes(here, parts), blobsPath, onBusy, onAnswer: parts.metrics.answered }),
      boot,
    ),
    listener(
      'status-http',
      forPeople(here, { status, watching: parts.watching }),
      parseListenAddress(site.network.status),
    ),
    control(here, { ...parts, status }),
  ];
}

function forPeople(
  { webhookSecret: secret }: Here,
  { status, watching }: { readonly status: StatusAnswers; readonly watching: Watching },
): FastifyInstance {
  const app = statusListener(status);
  return secret === undefined ? app : addWebhook(app, { secret, poke: watching.poke });
}

function control({ options }: Here, parts: Parts & { readonly status: StatusAnswers }): Component {
  const { status, table, watching, reconciler, collector, steering, drain } = parts;
  const socket = { kind: 'unix', path: controlSocketPath(options.statePath), mode: 0o600 } as const;
  const take = (report: BootReport) => void table.take({ kind: 'report', atMs: now(), address: '', report });
  const routes = adminRoutes({
    poke() {
      watching.poke();
      reconciler.ring();
    },
    gc: collector.collect,
    ...steering,
    drain: drain.start,
  });
  return listener('control', addAdminRoutes(statusListener(controlAnswers(status, take)), routes), socket);
}

/** What nodes ask for. */
function answersForNodes({ store }: Here, parts: Parts): BootAnswers {
  const { table, tracker, serving, reconciler, follower, drain } = parts;
  const menu = () => serving.current().menu;
  return bootAnswers({
    ...{ offers: table.offers, take: table.take, tracker, now, conditions: follower.conditions },
    needs: openSwarmNeeds({ sessions: table.nodes.list, menu, now }),
    server: () => serving.current().server,
    blobsPath: join(store.path, 'blobs'),
    check: drain.check,
    async blobPath(digest) {
      if (!blobsOf(reconciler.observed()).has(digest)) return undefined;
      if (await store.isUnchanged(digest)) return store.blobPath(digest);
      reconciler.ring();
      throw new Fault('DRIFT', `Cannot send blob ${digest}: it was changed on the disk after it was verified`);
    },
  });
}

/** What people and scrapers ask for. */
function answersForPeople({ site, store }: Here, parts: Parts): StatusAnswers {
  const { table, metrics, changes, serving, reconciler, follower, watching, sockets, drain, collector } = parts;
  return statusAnswers({
    ...{ site: site.site, table, changes, metrics, served: serving.current, conditions: follower.conditions },
    suspendedSince: parts.steering.suspendedSince,
    ...{ reconciler, gitTrouble: watching.trouble, dhcpIgnored: sockets.ignored, now },
    isDraining: drain.isDraining,
    ...{ gitSuccessMs: watching.successMs, storeBytes: () => collector.last()?.keptBytes, storePath: store.path },
  });
}
