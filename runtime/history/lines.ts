import type { HistoryEvent } from './event.ts';

/** The history for a terminal, newest first. */
export function historyLines(events: readonly HistoryEvent[]): readonly string[] {
  if (events.length === 0) return ['Nothing was published or refused yet'];
  return events.toReversed().flatMap(eventLines);
}

function eventLines(event: HistoryEvent): readonly string[] {
  const { at, result, revision, serial, seconds, author, subject, faults = [] } = event;
  const head = [
    `${at.slice(0, 19).replace('T', ' ')}  ${result.padEnd(9)}  ${revision?.slice(0, 12) ?? '-'.padEnd(12)}`,
    `${serial === undefined ? '' : `catalog ${serial}`}`.padEnd(18),
    `${seconds === undefined ? '' : `${seconds.toFixed(1)} s`}`.padStart(8),
    `${author ?? ''}${subject === undefined ? '' : `: ${subject}`}`,
  ];
  return [head.join('  ').trimEnd(), ...faults.map(faultLine)];
}

function faultLine({ code, message, file, line, column }: NonNullable<HistoryEvent['faults']>[number]): string {
  const place = file === undefined ? '' : `${file}:${line}:${column}: `;
  return `    ${place}${message} [${code}]`;
}
