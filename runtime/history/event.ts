import type { Revision } from '#bundle/digest.ts';
import type { Result, ShownFault } from '../reconcile/outcome.ts';

/** Who made a commit, and its first line, cut to 200 characters each. */
export interface CommitSummary {
  readonly author: string;
  readonly subject: string;
}

/** One publish or one refusal. */
export interface HistoryEvent {
  /** When it ended; ISO 8601 in UTC. */
  readonly at: string;
  readonly result: 'published' | 'refused';
  readonly revision?: Revision;
  readonly author?: string;
  readonly subject?: string;
  /** Of the catalog; only where one was published. */
  readonly serial?: number;
  /** From the start of the work to the end. Absent: something else published it, and the runtime found it. */
  readonly seconds?: number;
  /** Why it was refused: the first ten. */
  readonly faults?: readonly ShownFault[];
}

export interface EventSources {
  readonly result: Result;
  readonly commit?: CommitSummary;
  readonly atMs: number;
  readonly seconds?: number;
}

const faultLimit = 10;

export function historyEvent({ result, commit, atMs, seconds }: EventSources): HistoryEvent {
  return {
    at: new Date(atMs).toISOString(),
    result: result.kind,
    ...(result.revision !== undefined && { revision: result.revision }),
    ...commit,
    ...(result.kind === 'published' && { serial: result.serial }),
    ...(seconds !== undefined && { seconds: Math.round(seconds * 1000) / 1000 }),
    ...(result.kind === 'refused' && { faults: result.faults.slice(0, faultLimit).map(shortened) }),
  };
}

/** Whether an event says no more than the one before: a try of the same revision that ended the same way. */
export function isRepeated(event: HistoryEvent, before: HistoryEvent | undefined): boolean {
  return before !== undefined && essence(event) === essence(before);
}

/** One line, without its end. */
export function formatEvent(event: HistoryEvent): string {
  return JSON.stringify(event);
}

/** The events of a file, oldest first. Lines that are none (the last one may be torn) are left out. */
export function parseEvents(text: string): readonly HistoryEvent[] {
  return text.split('\n').flatMap((line) => parseEvent(line) ?? []);
}

function parseEvent(line: string): HistoryEvent | undefined {
  try {
    const value = JSON.parse(line) as Partial<HistoryEvent> | null;
    const isWhole = typeof value?.at === 'string' && (value.result === 'published' || value.result === 'refused');
    return isWhole ? (value as HistoryEvent) : undefined;
  } catch {
    return undefined;
  }
}

function essence({ result, revision, serial, faults }: HistoryEvent): string {
  return JSON.stringify([result, revision, serial, faults?.map(({ code, message }) => [code, message])]);
}

function shortened(fault: ShownFault): ShownFault {
  return { ...fault, message: fault.message.slice(0, 500), ...(fault.hint && { hint: fault.hint.slice(0, 300) }) };
}
