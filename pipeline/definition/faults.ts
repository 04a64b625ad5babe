import { Fault, type Location } from '#bundle/fault.ts';

/** Order for people: by file, then by place in it. */
export function sortFaults(faults: readonly Fault[]): readonly Fault[] {
  return faults.toSorted((a, b) => compare(a.location, b.location) || (a.message < b.message ? -1 : 1));
}

/** A fault of a definition: nothing changes until somebody commits again. */
export function definitionFault(code: string, message: string, details: { location: Location; hint?: string }): Fault {
  return new Fault(code, message, { hint: 'Correct the file and commit again', retry: 'stalled', ...details });
}

/** All faults of a commit as one. @see `exit.ts`, which prints each */
export function definitionsInvalid(what: string, faults: readonly Fault[]): Fault {
  const count = faults.length === 1 ? '1 fault' : `${faults.length} faults`;
  return new Fault('DEFINITIONS_INVALID', `Cannot use ${what}: ${count} in its definitions`, {
    hint: 'Nothing was changed; correct what is listed and commit again',
    cause: new AggregateError(faults),
    retry: 'stalled',
  });
}

function compare(a: Location | undefined, b: Location | undefined): number {
  if (!a || !b) return (a ? 1 : 0) - (b ? 1 : 0);
  if (a.file !== b.file) return a.file < b.file ? -1 : 1;
  return a.line - b.line || a.column - b.column;
}
