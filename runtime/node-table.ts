import type { Digest, SessionId } from '#bundle/digest.ts';
import type { BootEvent } from './boot/event.ts';
import type { Menu } from './boot/menu.ts';
import { type Nodes, openNodes, type SessionChange } from './boot/nodes.ts';
import { stalledSinceMs } from './boot/phases.ts';
import type { BootSession } from './boot/session.ts';
import { type Offers, openOffers } from './boot-offers.ts';
import type { Component } from './component.ts';
import type { Log } from './log.ts';
import { type NodeStore, openNodeStore } from './node-store.ts';

export interface NodeTableOptions {
  /** The database file. */
  readonly path: string;
  readonly menu: () => Menu | undefined;
  readonly older: (catalog: Digest) => Menu | undefined;
  readonly newSession: () => SessionId;
  /** Told of every event. */
  readonly onEvent: (event: BootEvent) => void;
  /** Told of every change of a session. */
  readonly onChange: (change: SessionChange) => void;
  /** Called when a node has fallen silent, or speaks again. */
  readonly onSilence: () => void;
  readonly now: () => number;
  readonly log: Log;
}

/** All that is known of nodes: their newest sessions in memory, the rest in the database. */
export interface NodeTable extends Component {
  readonly nodes: Nodes;
  readonly offers: Offers;
  readonly store: Pick<NodeStore, 'earlier' | 'logOf'>;
  /** Folds an event in; returns the session that it belongs to. Never throws. */
  take(event: BootEvent): BootSession | undefined;
}

/** How often it is looked for what did not happen: heartbeats and reports that are missing. */
const watchMs = 1000;

export function openNodeTable(options: NodeTableOptions): NodeTable {
  const { path, log, now, menu, older, newSession } = options;
  const store = openNodeStore(path, log);
  const offers = openOffers({ menu, older, store, now });
  const nodes = openNodes({ newSession, known: store.newest(), onChange });

  function onChange(change: SessionChange): void {
    options.onChange(change);
    store.keepSession(change);
    offers.learn(change);
  }

  function take(event: BootEvent): BootSession | undefined {
    options.onEvent(event);
    const session = nodes.take(event);
    if (session && event.kind === 'report') heard(event, session);
    return session;
  }

  function heard(event: Extract<BootEvent, { kind: 'report' }>, session: BootSession): void {
    offers.hear(event, session);
    const { report, atMs } = event;
    if (report.phase !== 'failed' || report.log === undefined) return;
    const code = report.fault?.code ?? 'UNKNOWN';
    store.keepLog(session.mac, { session: session.id, atMs, code, log: report.log });
  }

  let silent = '';
  function watch(): void {
    const nowMs = now();
    for (const event of nodes.overdue(nowMs)) take(event);
    const stalled = nodes.list().filter((session) => stalledSinceMs(session, nowMs) !== undefined);
    const before = silent;
    silent = stalled.map(({ id }) => id).join(' ');
    if (silent !== before) options.onSilence();
  }

  return {
    ...{ name: store.name, nodes, offers, store, take },
    async run(signal) {
      const timer = setInterval(watch, watchMs);
      try {
        await store.run(signal);
      } finally {
        clearInterval(timer);
      }
    },
  };
}
