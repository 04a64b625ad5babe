import type { Digest, Mac, SessionId } from '#bundle/digest.ts';
import type { BootEvent } from './event.ts';
import { advance, type BootSession, beginsSession, currentPhase, isLive, isOverdue, openSession } from './session.ts';

/** A step of a node's newest session; without `after` a newer one has taken its place. */
export interface SessionChange {
  readonly before?: BootSession;
  readonly after?: BootSession;
  /** The node made room for others. */
  readonly isForgotten?: boolean;
}

export interface NodesOptions {
  /** Makes the identity of a new boot session: 128 random bits. */
  readonly newSession: () => SessionId;
  /** Default: 10 000. The node that was silent longest makes room for a new one. */
  readonly limit?: number;
  /** Sessions of an earlier process. */
  readonly known?: readonly BootSession[];
  /** Told of every change, in order. */
  readonly onChange?: (change: SessionChange) => void;
}

/** The newest boot session of every node: the fold over all boot events, with an index by session and by address. */
export interface Nodes {
  /** Takes an event in; returns the session that it belongs to, where it belongs to one. */
  take(event: BootEvent): BootSession | undefined;
  /** Sorted by MAC. */
  list(): readonly BootSession[];
  of(id: SessionId): BootSession | undefined;
  at(address: string): BootSession | undefined;
  byMac(mac: Mac): BootSession | undefined;
  /** The heartbeats that should be there by now, as events that this table is yet to take. */
  overdue(nowMs: number): readonly BootEvent[];
  /** Manifests that live sessions were sent to. */
  namedBundles(nowMs: number): ReadonlySet<Digest>;
}

export function openNodes({ newSession, limit = 10_000, known = [], onChange }: NodesOptions): Nodes {
  /** In the order of the last sign of life. */
  const byMac = new Map<Mac, BootSession>();
  const bySession = new Map<SessionId, Mac>();
  const byAddress = new Map<string, Mac>();

  function remember(session: BootSession, before: BootSession | undefined): BootSession {
    index(session, before);
    if (before && before.id !== session.id) onChange?.({ before });
    onChange?.({ ...(before?.id === session.id && { before }), after: session });
    if (byMac.size > limit) forget(byMac.values().next().value);
    return session;
  }

  function index(session: BootSession, before: BootSession | undefined): void {
    if (before && before.id !== session.id) bySession.delete(before.id);
    if (before?.address !== undefined && byAddress.get(before.address) === session.mac)
      byAddress.delete(before.address);
    byMac.delete(session.mac);
    byMac.set(session.mac, session);
    bySession.set(session.id, session.mac);
    if (session.address !== undefined) byAddress.set(session.address, session.mac);
  }

  function forget(session: BootSession | undefined): void {
    if (!session) return;
    byMac.delete(session.mac);
    onChange?.({ before: session, isForgotten: true });
    bySession.delete(session.id);
    if (session.address !== undefined && byAddress.get(session.address) === session.mac)
      byAddress.delete(session.address);
  }

  function of(id: SessionId): BootSession | undefined {
    const mac = bySession.get(id);
    return mac && byMac.get(mac);
  }

  function at(address: string): BootSession | undefined {
    const mac = byAddress.get(address);
    return mac && byMac.get(mac);
  }

  function take(event: BootEvent): BootSession | undefined {
    const named = claimedSession(event);
    if (named) {
      const session = of(named.id) ?? adopt(named, event);
      return session && remember(advance(session, event), session);
    }
    const mac = event.kind === 'dhcp' || event.kind === 'script' ? event.mac : undefined;
    const session = mac ? byMac.get(mac) : 'address' in event ? at(event.address ?? '') : undefined;
    if (mac && beginsSession(event, session)) return remember(openSession(newSession(), mac, event), session);
    return session && remember(advance(session, event), session);
  }

  /**
   * A session that this process never opened belongs to a node that booted before a restart. It is taken in, unless
   * the node has a newer one that lives: what an old one still says is of no interest then.
   */
  function adopt(named: { id: SessionId; mac?: Mac }, event: BootEvent): BootSession | undefined {
    if (!named.mac) return undefined;
    const known = byMac.get(named.mac);
    if (known && isLive(known, event.atMs)) return undefined;
    return remember(openSession(named.id, named.mac, event), known);
  }

  for (const session of known.toSorted((a, b) => a.lastSeenMs - b.lastSeenMs)) index(session, byMac.get(session.mac));
  return {
    take,
    of,
    at,
    byMac: (mac) => byMac.get(mac),
    overdue: (nowMs) =>
      [...byMac.values()]
        .filter((session) => isOverdue(session, nowMs))
        .map(({ id, mac }) => ({ kind: 'overdue', atMs: nowMs, session: id, mac })),
    list: () => [...byMac.values()].sort((a, b) => (a.mac < b.mac ? -1 : 1)),
    namedBundles: (nowMs) =>
      new Set([...byMac.values()].filter((one) => isLive(one, nowMs)).flatMap((session) => session.names)),
  };
}

/** The counts of sessions by phase, for metrics. */
export function countPhases(sessions: readonly BootSession[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const session of sessions) counts.set(currentPhase(session), (counts.get(currentPhase(session)) ?? 0) + 1);
  return counts;
}

function claimedSession(event: BootEvent): { id: SessionId; mac?: Mac } | undefined {
  if (event.kind === 'report') return { id: event.report.session, mac: event.report.mac };
  if (event.kind === 'ticket' || event.kind === 'overdue') return { id: event.session, mac: event.mac };
  return event.kind === 'announce' ? { id: event.session } : undefined;
}
