const units: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** A whole number and a unit, as `parseDuration` reads it. */
export const durationPattern = '^(0|[1-9][0-9]{0,8})(ms|s|m|h|d)$';

/** Milliseconds of `250ms`, `15s`, `10m`, `12h` or `7d`; undefined for anything else. */
export function parseDuration(text: string): number | undefined {
  const [, count = '', unit = ''] = new RegExp(durationPattern).exec(text) ?? [];
  const factor = units[unit];
  return factor === undefined ? undefined : Number(count) * factor;
}

const sizes: Readonly<Record<string, number>> = { '': 1, K: 1024, M: 1024 ** 2, G: 1024 ** 3 };

/** A whole number, and K, M or G for 1024, 1024² or 1024³ of it, as `parseSize` reads it. */
export const sizePattern = '^[1-9][0-9]{0,8}[KMG]?$';

/** Bytes of `512M` or `2G`; undefined for anything else. */
export function parseSize(text: string): number | undefined {
  const [, count = '', unit = ''] = /^([1-9][0-9]{0,8})([KMG]?)$/.exec(text) ?? [];
  const factor = sizes[unit];
  return count === '' || factor === undefined ? undefined : Number(count) * factor;
}
