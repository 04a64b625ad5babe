import { type DestinationStream, type Logger, pino, stdTimeFunctions } from 'pino';

/** A structured log: one JSON line per decision, on standard error. Values are escaped by the JSON itself. */
export type Log = Logger;

/** @param stream where the lines go; default: standard error */
export function openLog(options: { level?: string; stream?: DestinationStream } = {}): Log {
  const stream = options.stream ?? pino.destination({ fd: 2, sync: true });
  return pino({ level: options.level ?? 'info', base: null, timestamp: stdTimeFunctions.isoTime }, stream);
}
