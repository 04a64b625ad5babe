/** What a transfer was agreed on. */
export interface Terms {
  /** Payload bytes of a full block. */
  readonly blockBytes: number;
  /** Blocks sent before an acknowledgement is waited for. */
  readonly windowBlocks: number;
  /** Wait before a block is sent again. */
  readonly timeoutMs: number;
  /** Whether the node fixed the wait itself; else it grows. */
  readonly isTimeoutFixed: boolean;
  /** What is acknowledged, in the order of the request; empty: no OACK at all. */
  readonly accepted: ReadonlyMap<string, string>;
}

/** Ethernet's 1500 without the headers of IPv4 (20), UDP (8) and TFTP (4): boot ROMs put no fragments together. */
const blockLimit = 1468;
const windowLimit = 32;

/**
 * Options that were asked for, each within its bounds, the rest as if they had not been (RFC 2347: never an error).
 * @see RFC 2348 (blksize), 2349 (timeout, tsize), 7440 (windowsize)
 */
export function negotiate(asked: ReadonlyMap<string, string>, sizeBytes: number): Terms {
  const accepted = new Map<string, string>();
  const take = (name: string, [min, max]: readonly [number, number], limit: number): number | undefined => {
    const value = readNumber(asked.get(name), min, max);
    if (value === undefined) return undefined;
    const granted = Math.min(value, limit);
    accepted.set(name, String(granted));
    return granted;
  };
  let blockBytes = 512;
  let windowBlocks = 1;
  let timeout: number | undefined;
  for (const name of asked.keys()) {
    if (name === 'blksize') blockBytes = take(name, [8, 65464], blockLimit) ?? 512;
    if (name === 'windowsize') windowBlocks = take(name, [1, 65535], windowLimit) ?? 1;
    if (name === 'timeout') timeout = take(name, [1, 255], 255);
    if (name === 'tsize') accepted.set(name, String(sizeBytes));
  }
  const timeoutMs = (timeout ?? 1) * 1000;
  return { blockBytes, windowBlocks, timeoutMs, isTimeoutFixed: timeout !== undefined, accepted };
}

function readNumber(text: string | undefined, min: number, max: number): number | undefined {
  if (text === undefined || !/^[0-9]{1,7}$/.test(text)) return undefined;
  const value = Number(text);
  return value >= min && value <= max ? value : undefined;
}
