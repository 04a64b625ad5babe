const units: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** A whole number and a unit, as `parseDuration` reads it. */
export const durationPattern = '^(0|[1-9][0-9]{0,8})(ms|s|m|h|d)$';

/** Milliseconds of `250ms`, `15s`, `10m`, `12h` or `7d`; undefined for anything else. */
export function parseDuration(text: string): number | undefined {
  const [, count = '', unit = ''] = new RegExp(durationPattern).exec(text) ?? [];
  const factor = units[unit];
  return factor === undefined ? undefined : Number(count) * factor;
}
