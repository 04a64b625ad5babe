import type { BootReport, ReportPhase } from '#bundle/boot-report.ts';
import type { Digest, Mac, SessionId } from '#bundle/digest.ts';
import type { BootEvent, OfferedRelease } from './event.ts';

/** What a node is doing: the server sees the first four, the node's own reports tell the others. */
export type BootPhase = 'firmware' | 'nbp' | 'script' | 'kernel' | ReportPhase;

/** Bytes of a download by where they came from. */
export interface SourceBytes {
  readonly origin: number;
  readonly peers: number;
  readonly http: number;
}

export interface PhaseStart {
  readonly name: BootPhase;
  readonly atMs: number;
  /** Of a download that is over. */
  readonly bytes?: SourceBytes;
  /** With `failed`: the fault. */
  readonly code?: string;
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
  /** What the newest ticket was for. */
  readonly release?: OfferedRelease;
  /** From `executing` to the first heartbeat, where one is expected. */
  readonly heartbeatMs?: number;
  readonly doneBytes: number;
  readonly totalBytes: number;
  readonly bytesPerSecond: number;
  readonly originBytes: number;
  readonly httpBytes: number;
  readonly peers?: number;
  readonly memoryBytes?: number;
  /** PCI ids of devices that no driver of the bootstrap is for. */
  readonly missingDrivers?: readonly string[];
  /** Of a program or virtual machine that is over. */
  readonly exitStatus?: number;
  readonly output?: string;
  readonly fault?: { readonly code: string; readonly message: string };
}

/** A session without a sign of life for so long is over; a node reports every 2 s while it downloads. */
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
  const phase = currentPhase(session);
  return phase !== 'up' && phase !== 'ended' && nowMs - session.lastSeenMs < sessionSilenceMs;
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
  const seen = isSignOfLife(event) ? { ...session, lastSeenMs: Math.max(session.lastSeenMs, event.atMs) } : session;
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
      return scripted(seen, event);
    case 'blob':
      if (isFetching(session)) return { ...seen, httpBytes: session.httpBytes + event.sentBytes };
      return enter(seen, { name: 'kernel', atMs: event.atMs, from: ['script'] });
    case 'ticket':
      return ticketed(seen, event);
    case 'origin':
      return { ...seen, originBytes: session.originBytes + event.sentBytes };
    case 'announce':
      return { ...seen, address: event.address };
    case 'report':
      return reported(seen, event.report, event);
    case 'overdue':
      return overdue(seen, event.atMs);
    default:
      return event satisfies never;
  }
}

/** What the server sends, or misses, is no sign that the node lives. */
function isSignOfLife({ kind }: BootEvent): boolean {
  return kind !== 'origin' && kind !== 'overdue';
}

function isFetching(session: BootSession): boolean {
  const phase = currentPhase(session);
  return phase === 'download' || phase === 'verify-files';
}

function scripted(session: BootSession, event: Extract<BootEvent, { kind: 'script' }>): BootSession {
  const told = {
    ...session,
    address: event.address,
    names: event.bootstrap ? [event.bootstrap] : [],
    ...(event.firmware !== undefined && session.firmware === undefined && { firmware: event.firmware }),
    ...event.handover,
  };
  const { atMs } = event;
  const at = enter(told, { name: 'script', atMs, from: ['firmware', 'nbp', 'kernel'] });
  return event.handover === undefined ? at : enter(at, { name: 'executing', atMs, from: ['script'] });
}

function ticketed(session: BootSession, event: Extract<BootEvent, { kind: 'ticket' }>): BootSession {
  const { heartbeatMs: _, ...rest } = session;
  const { address, image, release, heartbeatMs, manifests } = event;
  return {
    ...{ ...rest, address, image, release, manifest: release.manifest, names: union(session.names, manifests) },
    ...(heartbeatMs !== undefined && { heartbeatMs }),
  };
}

/** Whether the OS should have sent its first heartbeat by now. */
export function isOverdue(session: BootSession, nowMs: number): boolean {
  const last = session.phases.at(-1);
  if (last?.name !== 'executing' || session.heartbeatMs === undefined) return false;
  return nowMs - last.atMs >= session.heartbeatMs;
}

function overdue(session: BootSession, atMs: number): BootSession {
  if (!isOverdue(session, atMs)) return session;
  const seconds = Math.round((session.heartbeatMs ?? 0) / 1000);
  const message = `The OS has sent no heartbeat within ${seconds} s`;
  const fault = { code: 'HEARTBEAT_MISSING', message };
  return enter({ ...session, fault }, { name: 'failed', atMs, code: fault.code });
}

/** Bytes by where they came from. What was neither sent by the origin nor fetched by HTTP came from other nodes. */
export function bytesBySource(session: BootSession): SourceBytes {
  const { originBytes: origin, httpBytes: http, doneBytes } = session;
  return { origin, peers: Math.max(0, doneBytes - origin - http), http };
}

function reported(session: BootSession, report: BootReport, event: { atMs: number; address: string }): BootSession {
  const { fault: _, peers: __, ...rest } = session;
  const fault = report.fault ?? { code: 'UNKNOWN', message: 'The node gave no reason' };
  const told = {
    ...rest,
    ...(event.address !== '' && { address: event.address }),
    ...(report.image !== undefined && { image: report.image }),
    ...(report.manifest !== undefined && { manifest: report.manifest, names: union(session.names, [report.manifest]) }),
    doneBytes: report.doneBytes ?? session.doneBytes,
    totalBytes: report.totalBytes ?? session.totalBytes,
    bytesPerSecond: report.bytesPerSecond ?? 0,
    ...kept(report),
    ...(report.phase === 'failed' && { fault }),
  };
  const code = report.phase === 'failed' ? { code: fault.code } : {};
  return enter(told, { name: report.phase, atMs: event.atMs, ...code });
}

/** What a report says that is shown as it is. Its log is kept elsewhere: it is large. */
function kept({ peers, memoryBytes, missingDrivers, exitStatus, output }: BootReport): Partial<BootSession> {
  return {
    ...(peers !== undefined && { peers }),
    ...(memoryBytes !== undefined && { memoryBytes }),
    ...(missingDrivers !== undefined && { missingDrivers }),
    ...(exitStatus !== undefined && { exitStatus }),
    ...(output !== undefined && { output }),
  };
}

/** @param to with `from`, the phase is entered only from one of these: what the server sees may come late */
function enter(session: BootSession, to: PhaseStart & { readonly from?: readonly BootPhase[] }): BootSession {
  const { from, ...start } = to;
  const phase = currentPhase(session);
  if (phase === start.name || (from && !from.includes(phase))) return session;
  const phases = [...withBytes(session), start];
  if (phases.length > phaseLimit) phases.splice(phaseLimit / 2, 1);
  return { ...session, phases };
}

/** The phases of a session whose last one is over. */
function withBytes(session: BootSession): readonly PhaseStart[] {
  const last = session.phases.at(-1);
  if (last?.name !== 'download') return session.phases;
  return [...session.phases.slice(0, -1), { ...last, bytes: downloadBytes(session) }];
}

/** What the download that goes on has brought: all of the session's but for those of earlier downloads. */
export function downloadBytes(session: BootSession): SourceBytes {
  const earlier = session.phases.flatMap(({ bytes }) => (bytes ? [bytes] : []));
  const rest = (of: keyof SourceBytes) =>
    Math.max(0, bytesBySource(session)[of] - earlier.reduce((sum, bytes) => sum + bytes[of], 0));
  return { origin: rest('origin'), peers: rest('peers'), http: rest('http') };
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
