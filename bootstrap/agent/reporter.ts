import { type BootReport, formatReport, type ReportPhase } from '#bundle/boot-report.ts';
import type { Digest } from '#bundle/digest.ts';
import { Fault } from '#bundle/fault.ts';
import type { Host } from './host.ts';
import { postJson } from './http.ts';
import type { BootParameters } from './parameters.ts';

export type ReportDetails = Pick<BootReport, 'doneBytes' | 'totalBytes' | 'bytesPerSecond' | 'httpBytes'>;

/** Tells the console and the server what happens. A server that does not listen changes nothing about a boot. */
export interface Reporter {
  /** One line for the console. */
  say(topic: string, text: string): void;
  /** A report to the server. */
  report(phase: ReportPhase, details?: ReportDetails): void;
  failed(fault: Fault): void;
  /** From now on, reports name the image. */
  setImage(image: { readonly name: string; readonly manifest: Digest } | undefined): void;
}

export function openReporter(host: Host, parameters: BootParameters): Reporter {
  const { server, session, mac } = parameters;
  let image: { readonly name: string; readonly manifest: Digest } | undefined;

  function say(topic: string, text: string): void {
    host.print(formatLine(host.uptimeMs(), topic, text));
  }
  function post(report: Pick<BootReport, 'phase' | 'fault'> & ReportDetails): void {
    const named = image && { image: image.name, manifest: image.manifest };
    const text = formatReport({ session, mac, uptimeMs: host.uptimeMs(), ...named, ...report });
    if (!postJson(host, `${server}/v1/report`, text))
      say('report', `the server did not take the report of ${report.phase}`);
  }
  return {
    say,
    report: (phase, details) => post({ phase, ...details }),
    failed: (fault) => {
      say('failed', `${fault.message} [${fault.code}]`);
      if (fault.hint) say('', fault.hint);
      post({ phase: 'failed', fault: { code: fault.code, message: ascii(fault.message).slice(0, 500) } });
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

/** Anything that is thrown, as a fault: a mistake in the agent itself must show on the server like the rest. */
export function faultOf(error: unknown): Fault {
  if (error instanceof Fault) return error;
  const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return new Fault('AGENT_FAILED', `Cannot go on: ${text}`, { cause: error });
}

function ascii(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, '?');
}
