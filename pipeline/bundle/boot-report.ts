import { type Digest, type Mac, parseDigest, parseMac, parseSessionId, type SessionId } from './digest.ts';
import { Fault } from './fault.ts';
import { parseRecord } from './record.ts';

export const reportPhases = [
  'network',
  'ticket',
  'verify-catalog',
  'download',
  'verify-files',
  'load',
  'executing',
  'up',
  'failed',
] as const;
/**
 * What a node tells the server it is doing. `executing` is the agent's last word before the OS; `up` is said by the
 * OS itself (or by who watches its console), never by the agent; `failed` names a fault, and the agent tries again.
 */
export type ReportPhase = (typeof reportPhases)[number];

/** Body of `POST /v1/report`, at most {@link reportLimitBytes}. Sent at each new phase, and every 5 s in a download. */
export interface BootReport {
  readonly session: SessionId;
  readonly mac: Mac;
  readonly phase: ReportPhase;
  /** Milliseconds since the bootstrap's kernel started; from the OS: since its own. */
  readonly uptimeMs: number;
  /** The image that was chosen, as soon as it is known. */
  readonly image?: string;
  readonly manifest?: Digest;
  /** In a download: bytes that are there, of all that are needed. */
  readonly doneBytes?: number;
  readonly totalBytes?: number;
  readonly bytesPerSecond?: number;
  /** Bytes fetched by plain HTTP as the fallback. */
  readonly httpBytes?: number;
  /** With `failed`: the fault. */
  readonly fault?: { readonly code: string; readonly message: string };
}

export const reportLimitBytes = 4096;

export function formatReport(report: BootReport): string {
  return JSON.stringify(report);
}

/** @throws Fault `REPORT_INVALID` */
export function parseReport(text: string): BootReport {
  if (text.length > reportLimitBytes) throw new Fault('REPORT_INVALID', 'Cannot read the report: it is too large');
  const record = parseRecord(text, 'the report', 'REPORT_INVALID');
  const image = record.optionalString('image', 64);
  const manifest = record.optionalString('manifest', 64);
  const fault = record.optionalRecord('fault');
  const numbers = ['doneBytes', 'totalBytes', 'bytesPerSecond', 'httpBytes'] as const;
  return {
    session: parseSessionId(record.string('session')),
    mac: parseMac(record.string('mac')),
    phase: record.oneOf('phase', reportPhases),
    uptimeMs: record.integer('uptimeMs'),
    ...(image !== undefined && { image }),
    ...(manifest !== undefined && { manifest: parseDigest(manifest) }),
    ...Object.fromEntries(
      numbers.flatMap((key) => {
        const value = record.optionalInteger(key);
        return value === undefined ? [] : [[key, value]];
      }),
    ),
    ...(fault && { fault: { code: fault.string('code', 64), message: fault.string('message', 500) } }),
  };
}
