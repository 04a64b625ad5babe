import type { Host } from './host.ts';
import type { Paths } from './paths.ts';

const dayMs = 24 * 3600 * 1000;

/**
 * The server's time where this machine's own is plainly wrong: before the bootstrap was built, or more than a day
 * off. Undefined: leave the clock alone. A server cannot move a clock to before the build.
 */
export function correctedClockMs(times: { clockMs: number; serverMs: number; buildMs: number }): number | undefined {
  const { clockMs, serverMs, buildMs } = times;
  if (serverMs < buildMs) return undefined;
  return clockMs < buildMs || Math.abs(clockMs - serverMs) > dayMs ? serverMs : undefined;
}

/** Sets the clock if it is plainly wrong. @returns what was done, for the console */
export function correctClock(host: Host, serverMs: number, paths: Paths): string | undefined {
  const buildMs = Number(host.readText(paths.buildTime)?.trim() ?? 0) * 1000;
  const clockMs = correctedClockMs({ clockMs: host.clockMs(), serverMs, buildMs });
  if (clockMs === undefined) return undefined;
  const before = new Date(host.clockMs()).toISOString();
  const { status } = host.run(['date', '-u', '-s', `@${Math.floor(clockMs / 1000)}`]);
  return `clock ${status === 0 ? 'was' : 'cannot be set from'} ${before}, the server says ${new Date(clockMs).toISOString()}`;
}
