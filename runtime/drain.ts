import type { Mac } from '#bundle/digest.ts';
import { Fault } from '#bundle/fault.ts';
import { type BootPhase, type BootSession, currentPhase, isLive } from './boot/session.ts';
import type { Component } from './component.ts';
import type { Log } from './log.ts';

export interface DrainOptions {
  readonly sessions: () => readonly BootSession[];
  readonly now: () => number;
  readonly log: Log;
}

/** What still runs when a drain begins, and how long it may take. */
export interface Draining {
  readonly boots: number;
  readonly limitMs: number;
}

/**
 * The way to stop without breaking a boot: no new one begins, those that run are served to their end, then the runtime
 * ends. SIGTERM ends at once instead, which a boot survives too where the runtime is started again.
 */
export interface Drain extends Component {
  start(limitMs: number): Draining;
  isDraining(): boolean;
  /** Whether a node's next question would begin a boot that must not begin. */
  refuses(mac: Mac): boolean;
  /** @throws Fault `DRAINING` where {@link refuses} */
  check(mac: Mac): void;
}

/** Phases in which a node may still ask the server for something that it cannot do without. */
const needing: ReadonlySet<BootPhase> = new Set([
  ...(['firmware', 'nbp', 'script', 'kernel', 'network', 'ticket', 'verify-catalog', 'menu'] as const),
  ...(['download', 'verify-files', 'seed', 'load'] as const),
]);
const lookEveryMs = 500;

export function openDrain({ sessions, now, log }: DrainOptions): Drain {
  let endsAtMs: number | undefined;
  /** Nodes whose boot ran when it began: a node that is refused has a session too, from its first question on. */
  let served: ReadonlySet<Mac> = new Set();
  const isNeeding = (session: BootSession) => isLive(session, now()) && needing.has(currentPhase(session));
  const running = () => sessions().filter(isNeeding);
  const boots = () => running().filter(({ mac }) => served.has(mac)).length;
  const refuses = (mac: Mac) => endsAtMs !== undefined && !served.has(mac);

  return {
    name: 'drain',
    isDraining: () => endsAtMs !== undefined,
    refuses,
    check(mac) {
      if (refuses(mac))
        throw new Fault('DRAINING', 'Cannot begin a boot: this server is about to end', { retry: 'waiting' });
    },
    start(limitMs) {
      served = endsAtMs === undefined ? new Set(running().map(({ mac }) => mac)) : served;
      endsAtMs = now() + limitMs;
      log.info({ part: 'drain', boots: boots(), limitMs }, 'no new boots from now on');
      return { boots: boots(), limitMs };
    },
    async run(signal) {
      await new Promise<void>((resolve) => {
        const look = () => {
          if (endsAtMs !== undefined && (boots() === 0 || now() >= endsAtMs)) resolve();
        };
        const timer = setInterval(look, lookEveryMs);
        signal.addEventListener('abort', () => resolve(), { once: true });
        signal.addEventListener('abort', () => clearInterval(timer), { once: true });
        if (signal.aborted) resolve();
      });
      if (!signal.aborted) log.info({ part: 'drain', boots: boots() }, 'drained');
    },
  };
}
