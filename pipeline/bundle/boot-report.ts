import { type Digest, type Mac, parseDigest, parseMac, parseSessionId, type SessionId } from './digest.ts';
import { Fault } from './fault.ts';
import { parseRecord } from './record.ts';

export const reportPhases = [
  'network',
  'ticket',
  'verify-catalog',
  'menu',
  'download',
  'verify-files',
  'seed',
  'load',
  'executing',
  'up',
  'ended',
  'rebooting',
  'failed',
] as const;
/**
 * What a node tells the server it is doing. `menu`: a person may choose. `seed`: a node that is about to leave stays
 * for the others. `executing` is the agent's last word before the OS; `up` is said by the OS itself (or by who watches its
 * console), by the agent only of a program or a virtual machine that it has started. `ended`: that one is over.
 * `rebooting`: with `image`, the choice that the next boot script carries out. `failed` names a fault, and the agent tries again.
 */
export type ReportPhase = (typeof reportPhases)[number];

/** Body of `POST /v1/report`, at most {@link reportLimitBytes}. Sent at each new phase, and every 2 s in a download. */
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
  readonly peers?: number;
  /** With `network`: RAM of the machine, and devices (PCI ids, `8086:1572`) that no driver of the bootstrap is for. */
  readonly memoryBytes?: number;
  readonly missingDrivers?: readonly string[];
  /** With `ended`: exit status (minus the signal) of the program and the end of what it printed. */
  readonly exitStatus?: number;
  readonly output?: string;
  /** With `failed`: the end of what the agent and its programs have printed in this attempt, at most {@link logLimit}. */
  readonly log?: string;
  /** With `failed`: the fault. */
  readonly fault?: { readonly code: string; readonly message: string };
}

/** What the server answers to a report with status 200. */
export interface ReportReply {
  /** Bytes that the origin has sent to this boot session by BitTorrent so far. */
  readonly originBytes: number;
  /** Bytes of its image that this boot session has fetched by HTTP so far, as the fallback or as a web seed. */
  readonly httpBytes: number;
  /** The swarm needs this node no longer: it may leave. */
  readonly mayGo: boolean;
}

export const replyLimitBytes = 1024;
export const reportLimitBytes = 64 * 1024;
/** Characters of `log` and of `output`. */
export const logLimit = 16 * 1024;

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
  const numbers = ['doneBytes', 'totalBytes', 'bytesPerSecond', 'peers', 'memoryBytes'] as const;
  const exitStatus = record.keys().includes('exitStatus') ? record.integer('exitStatus', { min: -128 }) : undefined;
  const output = record.optionalString('output', logLimit);
  const log = record.optionalString('log', logLimit);
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
    ...(record.keys().includes('missingDrivers') && { missingDrivers: record.strings('missingDrivers', 100) }),
    ...(exitStatus !== undefined && { exitStatus }),
    ...(output !== undefined && { output }),
    ...(log !== undefined && { log }),
    ...(fault && { fault: { code: fault.string('code', 64), message: fault.string('message', 500) } }),
  };
}

export function formatReply(reply: ReportReply): string {
  return JSON.stringify(reply);
}

/** @throws Fault `REPLY_INVALID` */
export function parseReply(text: string): ReportReply {
  if (text.length > replyLimitBytes) throw new Fault('REPLY_INVALID', 'Cannot read the reply: it is too large');
  const record = parseRecord(text, 'the reply', 'REPLY_INVALID');
  return {
    originBytes: record.integer('originBytes'),
    httpBytes: record.integer('httpBytes'),
    mayGo: record.boolean('mayGo'),
  };
}
