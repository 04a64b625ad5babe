import type { BootReport, ReportPhase } from '#bundle/boot-report.ts';
import type { Digest, Mac, SessionId } from '#bundle/digest.ts';
import type { BootEvent } from './event.ts';

/** What a node is doing: the server sees the first four, the node's own reports tell the others. */
export type BootPhase = 'firmware' | 'nbp' | 'script' | 'kernel' | ReportPhase;

export interface PhaseStart {
  readonly name: BootPhase;
  readonly atMs: number;
}

/** One attempt of one node to get from power-on to its OS. */
export interface BootSession {
  readonly id: SessionId;
  readonly mac: Mac;
  readonly lastSeenMs: number;
  /** Oldest first, at least one; a retry after `failed` appends its phases again. */
  readonly phases: readonly PhaseStart[];
  readonly address?: string;
  readonly firmware?: string;
  readonly image?: string;
  readonly manifest?: Digest;
  /** Manifests of the bundles that this session was sent to. */
  readonly names: readonly Digest[];
  readonly doneBytes: number;
  readonly totalBytes: number;
  readonly bytesPerSecond: number;
  readonly originBytes: number;
  readonly httpBytes: number;
  readonly fault?: { readonly code: string; readonly message: string };
}

/** A session without a sign of life for so long is over; a node reports every 5 s while it downloads. */
export const sessionSilenceMs = 15 * 60_000;
/** A firmware that asks again within so long is still at the same power cycle: PXE retries after 4, 8, 16, 32 s. */
const firmwarePatienceMs = 60_000;
/** A node that fails for ever repeats its phases for ever: the first and the newest ones are kept. */
const phaseLimit = 48;

/** A new session that begins with `event`. */
export function openSession(id: SessionId, mac: Mac, event: BootEvent): BootSession {
  const empty = { doneBytes: 0, totalBytes: 0, bytesPerSecond: 0, originBytes: 0, httpBytes: 0 };
  const first = { name: firstPhase(event), atMs: event.atMs };
  return advance({ id, mac, lastSeenMs: event.atMs, phases: [first], names: [], ...empty }, event);
}

/** The phase that a session is in. */
export function currentPhase(session: BootSession): BootPhase {
  return session.phases.at(-1)?.name ?? 'firmware';
}

/** Whether a session may still ask for what it was sent to: not up, and not silent for 15 minutes. */
export function isLive(session: BootSession, nowMs: number): boolean {
  return currentPhase(session) !== 'up' && nowMs - session.lastSeenMs < sessionSilenceMs;
}

/**
 * Whether an event of a node begins a new boot session: its first, or a sign that the machine was switched off and on.
 * A DISCOVER of a firmware, or of an iPXE that is a card's ROM (the only one there is in QEMU), after the kernel was
 * fetched can come from nothing but a restart; before that, it is the next program of the same power cycle.
 */
export function beginsSession(event: BootEvent, session: BootSession | undefined): boolean {
  if (event.kind === 'dhcp' && (event.speaker === 'os' || event.request !== 'discover')) return false;
  if (event.kind !== 'dhcp' && event.kind !== 'script') return false;
  if (!session) return true;
  const phase = currentPhase(session);
  const silenceMs = event.atMs - session.lastSeenMs;
  if (event.kind === 'script') return !isBeforeReports(phase) || silenceMs > sessionSilenceMs;
  if (phase === 'firmware' || phase === 'nbp') return silenceMs > firmwarePatienceMs;
  return event.speaker === 'firmware' || phase !== 'script' || silenceMs > sessionSilenceMs;
}

/** A session after one more of its events. */
export function advance(session: BootSession, event: BootEvent): BootSession {
  const seen = { ...session, lastSeenMs: Math.max(session.lastSeenMs, event.atMs) };
  switch (event.kind) {
    case 'dhcp':
      return {
        ...seen,
        ...(event.answer === 'ack' && event.address !== undefined && { address: event.address }),
        ...(event.firmware !== undefined && session.firmware === undefined && { firmware: event.firmware }),
      };
    case 'tftp':
      return event.result === 'done' ? enter(seen, { name: 'nbp', atMs: event.atMs, from: ['firmware'] }) : seen;
    case 'script':
      return enter(
        {
          ...seen,
          address: event.address,
          names: event.bootstrap ? [event.bootstrap] : [],
          ...(event.firmware !== undefined && session.firmware === undefined && { firmware: event.firmware }),
        },
        { name: 'script', atMs: event.atMs, from: ['firmware', 'nbp', 'kernel'] },
      );
    case 'blob':
      return enter(seen, { name: 'kernel', atMs: event.atMs, from: ['script'] });
    case 'ticket':
      return { ...seen, address: event.address, image: event.image, names: union(session.names, event.manifests) };
    case 'origin':
      return { ...seen, originBytes: session.originBytes + event.sentBytes };
    case 'announce':
      return { ...seen, address: event.address };
    case 'report':
      return report(seen, event.report, event);
    default:
      return event satisfies never;
  }
}

/** Bytes by where they came from. What was neither sent by the origin nor fetched by HTTP came from other nodes. */
export function bytesBySource(session: BootSession): { origin: number; peers: number; http: number } {
  const { originBytes: origin, httpBytes: http, doneBytes } = session;
  return { origin, peers: Math.max(0, doneBytes - origin - http), http };
}

function report(session: BootSession, report: BootReport, event: { atMs: number; address: string }): BootSession {
  const { fault: _, ...rest } = session;
  const told = {
    ...rest,
    ...(event.address !== '' && { address: event.address }),
    ...(report.image !== undefined && { image: report.image }),
    ...(report.manifest !== undefined && { manifest: report.manifest, names: union(session.names, [report.manifest]) }),
    doneBytes: report.doneBytes ?? session.doneBytes,
    totalBytes: report.totalBytes ?? session.totalBytes,
    bytesPerSecond: report.bytesPerSecond ?? 0,
    httpBytes: report.httpBytes ?? session.httpBytes,
    ...(report.phase === 'failed' && {
      fault: report.fault ?? { code: 'UNKNOWN', message: 'The node gave no reason' },
    }),
  };
  return enter(told, { name: report.phase, atMs: event.atMs });
}

/** @param to with `from`, the phase is entered only from one of these: what the server sees may come late */
function enter(session: BootSession, to: PhaseStart & { readonly from?: readonly BootPhase[] }): BootSession {
  const phase = currentPhase(session);
  if (phase === to.name || (to.from && !to.from.includes(phase))) return session;
  const phases = [...session.phases, { name: to.name, atMs: to.atMs }];
  if (phases.length > phaseLimit) phases.splice(phaseLimit / 2, 1);
  return { ...session, phases };
}

function firstPhase(event: BootEvent): BootPhase {
  if (event.kind === 'report') return event.report.phase;
  return event.kind === 'dhcp' ? 'firmware' : event.kind === 'ticket' ? 'ticket' : 'script';
}

function isBeforeReports(phase: BootPhase): boolean {
  return phase === 'firmware' || phase === 'nbp' || phase === 'script' || phase === 'kernel';
}

function union(some: readonly Digest[], more: readonly Digest[]): readonly Digest[] {
  return [...new Set([...some, ...more])].slice(-8);
}
