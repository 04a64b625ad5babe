import {
  type BootReport,
  formatReport,
  parseReply,
  type ReportPhase,
  type ReportReply,
  replyLimitBytes,
} from '#bundle/boot-report.ts';
import type { Digest } from '#bundle/digest.ts';
import { Fault } from '#bundle/fault.ts';
import type { Host } from './host.ts';
import { postJson } from './http.ts';
import type { Log } from './log.ts';
import type { BootParameters } from './parameters.ts';

export type ReportDetails = Omit<BootReport, 'session' | 'mac' | 'phase' | 'uptimeMs' | 'manifest' | 'fault' | 'log'>;

/** Tells the console and the server what happens. A server that does not listen changes nothing about a boot. */
export interface Reporter {
  /** One line for the console. */
  say(topic: string, text: string): void;
  /** A report to the server; undefined when it did not take it. */
  report(phase: ReportPhase, details?: ReportDetails): ReportReply | undefined;
  /** The last report once more, if it was some seconds ago: a node that says nothing counts as stalled. Never for a failure. */
  again(): void;
  /**
   * The last report once more, as long as the server has not taken it: one that was away is to learn how it ended.
   * @returns whether it has
   */
  catchUp(): boolean;
  failed(fault: Fault): void;
  /** From now on, reports name the image. */
  setImage(image: { readonly name: string; readonly manifest: Digest } | undefined): void;
}

interface SentReport {
  readonly report: Pick<BootReport, 'phase'> & ReportDetails;
  readonly atMs: number;
  readonly isTaken: boolean;
}

/** A server takes 8 s of silence for the end of a node. */
const againMs = 2500;

/** @param log what goes to the server with a failure */
export function openReporter(host: Host, parameters: BootParameters, log?: Log): Reporter {
  const { server, session, mac } = parameters;
  let image: { readonly name: string; readonly manifest: Digest } | undefined;
  let last: SentReport | undefined;

  function say(topic: string, text: string): void {
    host.print(formatLine(host.uptimeMs(), topic, text));
  }
  function post(report: Pick<BootReport, 'phase' | 'fault' | 'log'> & ReportDetails): ReportReply | undefined {
    const named = image && { image: image.name, manifest: image.manifest };
    const text = formatReport({ session, mac, uptimeMs: host.uptimeMs(), ...named, ...report });
    const answer = postJson(host, `${server}/v1/report`, text, replyLimitBytes);
    const reply = answer === undefined ? undefined : readReply(answer);
    const isRepeated = last?.report === report;
    last = { report, atMs: host.uptimeMs(), isTaken: reply !== undefined };
    // Once is enough on a console that a program has by now.
    if (!reply && !isRepeated) say('report', `the server did not take the report of ${report.phase}`);
    return reply;
  }
  return {
    say,
    report: (phase, details) => post({ phase, ...details }),
    again: () => {
      if (!last || last.report.phase === 'failed' || host.uptimeMs() - last.atMs < againMs) return;
      post(last.report);
    },
    catchUp: () => {
      if (last && !last.isTaken && host.uptimeMs() - last.atMs >= againMs) post(last.report);
      return last?.isTaken ?? true;
    },
    failed: (fault) => {
      say('failed', `${fault.message} [${fault.code}]`);
      if (fault.hint) say('', fault.hint);
      const told = { code: fault.code, message: ascii(fault.message).slice(0, 500) };
      post({ phase: 'failed', fault: told, ...(log && { log: log.text() }) });
    },
    setImage: (next) => {
      image = next;
    },
  };
}

/** `  12.3 s  download      45 %  23.1 MB/s`. Printable ASCII only: parts of messages come from the network. */
export function formatLine(uptimeMs: number, topic: string, text: string): string {
  return `${(uptimeMs / 1000).toFixed(1).padStart(7)} s  ${topic.padEnd(14)}${ascii(text)}`.trimEnd();
}

/** An answer that makes no sense is as good as none. */
function readReply(text: string): ReportReply | undefined {
  try {
    return parseReply(text);
  } catch (error) {
    if (error instanceof Fault) return undefined;
    throw error;
  }
}

/** Anything that is thrown, as a fault: a mistake in the agent itself must show on the server like the rest. */
export function faultOf(error: unknown): Fault {
  if (error instanceof Fault) return error;
  const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return new Fault('AGENT_FAILED', `Cannot go on: ${text}`, { cause: error });
}

function ascii(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, '?');
}
