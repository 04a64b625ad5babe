import { type BootPhase, type BootSession, currentPhase, downloadBytes, type SourceBytes } from './session.ts';

/** How a phase ended; `stalled`: the node said no more. */
export type PhaseResult = 'done' | 'failed' | 'stalled';

export interface PhaseTimes {
  readonly name: BootPhase;
  readonly startedAtMs: number;
  /** Absent while it goes on. */
  readonly seconds?: number;
  /** Absent while it goes on. */
  readonly result?: PhaseResult;
  /** With `failed`: the fault's. */
  readonly code?: string;
  /** With `download`. */
  readonly bytes?: SourceBytes;
}

/**
 * How a boot as a whole went. `started`: an OS was started that sends no heartbeat; `booting`: it goes on. `up` stays
 * `up` when the machine is switched off one day.
 */
export type BootResult = 'booting' | 'up' | 'ended' | 'failed' | 'stalled' | 'started';

/** Which sessions of a node are looked at: the newest one at a time, or one that a newer one has replaced. */
export interface Moment {
  readonly nowMs: number;
  readonly isOver?: boolean;
}

/** Reports come every 2 to 3 s: after four that are missing a node is taken for dead. */
const reportSilenceMs = 8000;
/** What one program does without a word: hashing and copying hundreds of megabytes, on a slow machine. */
const workSilenceMs = 90_000;
/** A kernel that unpacks itself, a firmware that asks again. */
const startSilenceMs = 120_000;
/** The longest silence of each phase that is no sign of trouble. Absent: nothing more is expected in it. */
const silenceLimitMs: Readonly<Partial<Record<BootPhase, number>>> = {
  firmware: startSilenceMs,
  nbp: startSilenceMs,
  script: startSilenceMs,
  kernel: startSilenceMs,
  network: reportSilenceMs,
  ticket: reportSilenceMs,
  'verify-catalog': reportSilenceMs,
  menu: reportSilenceMs,
  download: reportSilenceMs,
  seed: reportSilenceMs,
  'verify-files': workSilenceMs,
  load: workSilenceMs,
  rebooting: startSilenceMs,
};

/** Since when a node has been silent though it should not be; undefined: all is well. A report puts an end to it. */
export function stalledSinceMs(session: BootSession, nowMs: number): number | undefined {
  const limitMs = silenceLimitMs[currentPhase(session)];
  return limitMs !== undefined && nowMs - session.lastSeenMs >= limitMs ? session.lastSeenMs : undefined;
}

/** Every phase of a session in order, by the server's clock alone. */
export function phaseTimes(session: BootSession, moment: Moment): readonly PhaseTimes[] {
  return session.phases.map(({ name, atMs, bytes, code }, index) => {
    const next = session.phases[index + 1];
    if (!next) return lastPhase(session, moment);
    const hasFailed = next.name === 'failed';
    const fault = hasFailed ? next.code : code;
    return {
      ...{ name, startedAtMs: atMs, seconds: (next.atMs - atMs) / 1000 },
      result: hasFailed || name === 'failed' ? 'failed' : 'done',
      ...(fault !== undefined && { code: fault }),
      ...(bytes && { bytes }),
    };
  });
}

function lastPhase(session: BootSession, moment: Moment): PhaseTimes {
  const { name, atMs, code } = session.phases.at(-1) ?? { name: 'firmware', atMs: session.lastSeenMs };
  const result = lastResult(session, moment);
  return {
    ...{ name, startedAtMs: atMs },
    ...(result === 'stalled' && { seconds: Math.max(0, session.lastSeenMs - atMs) / 1000 }),
    ...(result && { result }),
    ...(code !== undefined && { code }),
    ...(name === 'download' && { bytes: downloadBytes(session) }),
  };
}

function lastResult(session: BootSession, { nowMs, isOver = false }: Moment): PhaseResult | undefined {
  const phase = currentPhase(session);
  if (phase === 'failed') return 'failed';
  if (phase === 'up' || phase === 'ended') return 'done';
  if (phase === 'rebooting' && isOver) return 'done';
  if (phase === 'executing' && session.heartbeatMs === undefined) return isOver ? 'done' : undefined;
  return isOver || stalledSinceMs(session, nowMs) !== undefined ? 'stalled' : undefined;
}

/** How a boot went, in one word. */
export function bootResult(session: BootSession, moment: Moment): BootResult {
  const phase = currentPhase(session);
  if (phase === 'up' || phase === 'ended' || phase === 'failed') return phase;
  if (session.phases.some(({ name }) => name === 'up')) return 'up';
  const result = lastResult(session, moment);
  if (result === 'stalled') return 'stalled';
  return result === 'done' || (phase === 'executing' && session.heartbeatMs === undefined) ? 'started' : 'booting';
}
