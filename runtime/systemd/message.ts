import type { Status } from '../dashboard/view.ts';

/** One message of sd_notify(3) as a line for `notify.pl`: fields joined by tabs. */
export function notifyLine(fields: Readonly<Record<string, string>>): string {
  const clean = (text: string) => text.replaceAll(/\p{Cc}+/gu, ' ').slice(0, 500);
  return `${Object.entries(fields)
    .map(([name, value]) => `${name}=${clean(value)}`)
    .join('\t')}\n`;
}

/** The line that `systemctl status` shows. */
export function statusText(
  status: Pick<Status, 'revision' | 'serial' | 'building' | 'refused' | 'faults' | 'ready'>,
): string {
  const { revision, serial, building, refused, faults, ready } = status;
  const served = ready ? `Serving ${revision?.slice(0, 12)}, catalog ${serial}` : 'Nothing is published yet';
  const work = building ? `; building ${building.done} of ${building.total}: ${building.name}` : '';
  const what = refused?.kind === 'waiting' ? 'is to come' : 'is refused';
  const refusal = refused
    ? `; commit ${refused.revision?.slice(0, 12) ?? ''} ${what}: ${faults[0]?.message ?? ''}`
    : '';
  return served + work + refusal;
}

/**
 * How often a sign of life is due, from the variables that the service manager sets: half of what it allows.
 * Undefined where it wants none of this process.
 * @see sd_watchdog_enabled(3)
 */
export function watchdogMs(environment: Readonly<Record<string, string | undefined>>, pid: number): number | undefined {
  const { WATCHDOG_USEC, WATCHDOG_PID } = environment;
  if (WATCHDOG_PID !== undefined && WATCHDOG_PID !== String(pid)) return undefined;
  const usec = Number(WATCHDOG_USEC);
  return Number.isSafeInteger(usec) && usec > 0 ? Math.max(1, Math.floor(usec / 2000)) : undefined;
}
