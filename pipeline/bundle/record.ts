import { Fault } from './fault.ts';

/**
 * Reads fields of untrusted JSON one by one. Hand-written because it also runs in the node's agent, where a schema
 * compiler would weigh more than all the rest.
 */
export interface RecordReader {
  string(key: string, limit?: number): string;
  optionalString(key: string, limit?: number): string | undefined;
  integer(key: string, range?: { readonly min?: number; readonly max?: number }): number;
  optionalInteger(key: string): number | undefined;
  boolean(key: string): boolean;
  oneOf<T extends string>(key: string, values: readonly T[]): T;
  record(key: string): RecordReader;
  optionalRecord(key: string): RecordReader | undefined;
  list(key: string, limit: number): readonly RecordReader[];
  strings(key: string, limit: number): readonly string[];
  keys(): readonly string[];
}

/**
 * Parses JSON whose outermost value is an object.
 * @param what names the document in messages
 * @param code the fault code of everything that is wrong with it
 * @throws Fault with `code`
 */
export function parseRecord(text: string, what: string, code: string): RecordReader {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new Fault(code, `Cannot read ${what}: it is not JSON`, { cause });
  }
  return recordReader(value, what, code);
}

/** The same for a value that was parsed already. @throws Fault with `code` */
export function recordReader(value: unknown, what: string, code: string): RecordReader {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new Fault(code, `Cannot read ${what}: expected an object`);
  }
  const fields = value as Record<string, unknown>;
  const get = (key: string): unknown => (Object.hasOwn(fields, key) ? fields[key] : undefined);
  const wrong = (key: string, wanted: string): never => {
    throw new Fault(code, `Cannot read ${what}: ${key} must be ${wanted}`);
  };

  function string(key: string, limit = 4096): string {
    const field = get(key);
    if (typeof field === 'string' && field.length <= limit) return field;
    return wrong(key, `a string of at most ${limit} characters`);
  }
  function integer(key: string, { min = 0, max = Number.MAX_SAFE_INTEGER } = {}): number {
    const field = get(key);
    if (Number.isSafeInteger(field) && (field as number) >= min && (field as number) <= max) return field as number;
    return wrong(key, `an integer from ${min} to ${max}`);
  }
  function items(key: string, limit: number): readonly unknown[] {
    const field = get(key);
    if (Array.isArray(field) && field.length <= limit) return field;
    return wrong(key, `a list of at most ${limit}`);
  }
  return {
    string,
    optionalString: (key, limit) => (get(key) === undefined ? undefined : string(key, limit)),
    integer,
    optionalInteger: (key) => (get(key) === undefined ? undefined : integer(key)),
    boolean: (key) => {
      const field = get(key);
      return typeof field === 'boolean' ? field : wrong(key, 'true or false');
    },
    oneOf: (key, values) => values.find((one) => one === get(key)) ?? wrong(key, `one of ${values.join(', ')}`),
    record: (key) => recordReader(get(key), `${what} ${key}`, code),
    optionalRecord: (key) => (get(key) === undefined ? undefined : recordReader(get(key), `${what} ${key}`, code)),
    list: (key, limit) => items(key, limit).map((one, index) => recordReader(one, `${what} ${key}[${index}]`, code)),
    strings: (key, limit) =>
      items(key, limit).map((one) => (typeof one === 'string' && one.length <= 4096 ? one : wrong(key, 'strings'))),
    keys: () => Object.keys(fields),
  };
}
