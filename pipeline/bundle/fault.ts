/**
 * What to do about a fault.
 * - `waiting`: try again after a known delay.
 * - `stalled`: nothing changes until a person acts (a new revision, a changed file).
 * - `failed`: try again with growing pauses.
 */
export type Retry = 'waiting' | 'stalled' | 'failed';

/** A place in a text file; line and column count from 1. */
export interface Location {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

export interface FaultDetails {
  /** What the operator does next, one sentence. */
  readonly hint?: string;
  readonly cause?: unknown;
  /** Default: `failed`. */
  readonly retry?: Retry;
  readonly location?: Location;
}

/**
 * The one error class for everything that can go wrong outside of the program itself. `code` is stable and
 * upper case (`BUNDLE_SIGNATURE_INVALID`); the message starts with a capital, has no full stop and no secret.
 */
export class Fault extends Error {
  readonly code: string;
  readonly hint: string | undefined;
  readonly retry: Retry;
  readonly location: Location | undefined;

  constructor(code: string, message: string, details: FaultDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = 'Fault';
    this.code = code;
    this.hint = details.hint;
    this.retry = details.retry ?? 'failed';
    this.location = details.location;
  }
}

/** `file:line:column: message`, or the message alone where there is no location. */
export function formatFault(fault: Fault): string {
  const { location } = fault;
  return location ? `${location.file}:${location.line}:${location.column}: ${fault.message}` : fault.message;
}
