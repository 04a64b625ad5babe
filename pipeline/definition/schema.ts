import { Ajv2020, type ErrorObject, type ValidateFunction } from 'ajv/dist/2020.js';
import type { TSchema } from 'typebox';
import type { Fault } from '#bundle/fault.ts';
import type { SourceDocument } from './document.ts';
import { definitionFault } from './faults.ts';
import { suggestion } from './suggestion.ts';

/** Checks a document against a schema. An annotation `wanted` in the schema says in words what a value must be. */
export type Check = (document: SourceDocument) => readonly Fault[];

interface Annotated {
  readonly wanted?: string;
  readonly properties?: Readonly<Record<string, unknown>>;
}

export function compileCheck(schema: TSchema): Check {
  const ajv = new Ajv2020({ allErrors: true, verbose: true, strict: true, strictRequired: false, strictTypes: false });
  ajv.addVocabulary(['wanted']);
  const validate: ValidateFunction = ajv.compile(schema);
  return (document) => {
    if (validate(document.value)) return [];
    return relevant(validate.errors ?? []).map((error) => toFault(document, error));
  };
}

/**
 * Of alternatives only the one is reported that the writer had in mind: of those that are for the value's own type the
 * one with the fewest faults; where none is, only that none fits.
 */
function relevant(errors: readonly ErrorObject[]): readonly ErrorObject[] {
  const choices = errors.filter((error) => error.keyword === 'anyOf');
  const outermost = choices.filter((one) => !choices.some((other) => isInside(one, other)));
  const plain = errors.filter((error) => !outermost.some((one) => one === error || isInside(error, one)));
  return [...plain, ...outermost.flatMap((choice) => bestAlternative(choice, errors))];
}

function bestAlternative(choice: ErrorObject, errors: readonly ErrorObject[]): readonly ErrorObject[] {
  const branches = Map.groupBy(
    errors.filter((error) => isInside(error, choice)),
    (error) => error.schemaPath.slice(choice.schemaPath.length + 1).split('/')[0],
  );
  const isForAnotherType = (error: ErrorObject) =>
    error.instancePath === choice.instancePath && ['type', 'const', 'anyOf'].includes(error.keyword);
  const fitting = [...branches.values()].map(relevant).filter((branch) => !branch.some(isForAnotherType));
  return fitting.toSorted((a, b) => a.length - b.length)[0] ?? [choice];
}

function isInside(error: ErrorObject, choice: ErrorObject): boolean {
  return (
    error.schemaPath.startsWith(`${choice.schemaPath}/`) &&
    `${error.instancePath}/`.startsWith(`${choice.instancePath}/`)
  );
}

function toFault(document: SourceDocument, error: ErrorObject): Fault {
  const path = pathOf(document.value, error.instancePath);
  const schema = (error.parentSchema ?? {}) as Annotated;
  const name = path.length === 0 ? 'the file' : formatPath(path);
  if (error.keyword === 'additionalProperties') {
    const key = String(error.params.additionalProperty);
    const known = Object.keys(schema.properties ?? {});
    const meant = suggestion(key, known);
    const message = `Cannot use key ${JSON.stringify(key)}: expected one of ${known.join(', ')}`;
    return definitionFault('KEY_UNKNOWN', meant === undefined ? message : `${message} (did you mean ${meant}?)`, {
      location: document.locateKey(path, key),
      hint: meant === undefined ? 'Remove the key, or look it up in images/README.md' : `Write ${meant}`,
    });
  }
  if (error.keyword === 'required') {
    const key = formatPath([...path, String(error.params.missingProperty)]);
    const message = `Cannot use ${name}: ${key} is missing`;
    return definitionFault('KEY_MISSING', message, { location: document.locate(path), hint: `Add ${key}` });
  }
  const wanted = schema.wanted ?? error.message ?? 'another value';
  const message = `Cannot use ${name}: ${shown(error.data)}, expected ${wanted.replace(/^must be /, '')}`;
  return definitionFault('VALUE_INVALID', message, { location: document.locate(path) });
}

/** The steps of a JSON pointer (RFC 6901): numbers where the value is a list. */
function pathOf(value: unknown, pointer: string): readonly (string | number)[] {
  const steps: (string | number)[] = [];
  let at = value;
  for (const raw of pointer.split('/').slice(1)) {
    const step = raw.replaceAll('~1', '/').replaceAll('~0', '~');
    steps.push(Array.isArray(at) ? Number(step) : step);
    at = (at as Record<string, unknown>)[step];
  }
  return steps;
}

/** `groups[0].match.mac` */
export function formatPath(path: readonly (string | number)[]): string {
  return path.map((step, index) => (typeof step === 'number' ? `[${step}]` : index === 0 ? step : `.${step}`)).join('');
}

function shown(value: unknown): string {
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (typeof value === 'object' && value !== null) return 'a mapping';
  return JSON.stringify(value)?.slice(0, 80) ?? 'nothing';
}
