import { Fault } from './fault.ts';

/** A byte string is a Uint8Array; a dictionary's keys are byte strings too, here one character per byte (Latin-1). */
export type Bencoded = number | Uint8Array | readonly Bencoded[] | BencodedDictionary;
export type BencodedDictionary = ReadonlyMap<string, Bencoded>;

export interface DecodeOptions {
  /** Names the document in messages. Default: `the bencoded bytes`. */
  readonly what?: string;
  /** Code of every fault. Default: `BENCODE_INVALID`. */
  readonly code?: string;
  /** Lists and dictionaries inside each other. Default: 8. */
  readonly depthLimit?: number;
  /** Values in all. Default: 100 000. */
  readonly valueLimit?: number;
}

/**
 * Decodes one value that fills `bytes` to the end, in the one canonical form (BEP 3): no `-0`, no leading zeros, keys
 * sorted by byte and unique. So encoding it again gives the same bytes, which is what an infohash is taken over.
 * Byte strings are views into `bytes`, not copies. Integers beyond 2^53 are refused.
 * @throws Fault `BENCODE_INVALID`, or the code that the options name
 */
export function decodeBencode(bytes: Uint8Array, options: DecodeOptions = {}): Bencoded {
  const { what = 'the bencoded bytes', code = 'BENCODE_INVALID', depthLimit = 8, valueLimit = 100_000 } = options;
  const cursor: Cursor = {
    bytes,
    at: 0,
    depth: depthLimit,
    values: valueLimit,
    fail: (reason) => {
      throw new Fault(code, `Cannot read ${what}: ${reason} at byte ${cursor.at}`);
    },
  };
  const value = decodeValue(cursor);
  if (cursor.at !== bytes.length) cursor.fail('more bytes after the end');
  return value;
}

/**
 * Encodes a value; keys may come in any order.
 * @throws RangeError for a number that is no safe integer
 */
export function encodeBencode(value: Bencoded): Uint8Array {
  const parts: Uint8Array[] = [];
  encodeInto(parts, value);
  const bytes = new Uint8Array(parts.reduce((total, part) => total + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/** One character per byte (Latin-1). QuickJS has no TextDecoder. */
export function textOf(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += String.fromCharCode(byte);
  return text;
}

/** The reverse of {@link textOf}. @throws RangeError for a character above U+00FF */
export function bytesOf(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => {
    const code = character.charCodeAt(0);
    if (character.length > 1 || code > 0xff) throw new RangeError('Cannot encode text: one character per byte wanted');
    return code;
  });
}

interface Cursor {
  readonly bytes: Uint8Array;
  at: number;
  depth: number;
  values: number;
  readonly fail: (reason: string) => never;
}

const byteOf = { d: 0x64, e: 0x65, i: 0x69, l: 0x6c, minus: 0x2d, zero: 0x30, nine: 0x39, colon: 0x3a } as const;

function decodeValue(cursor: Cursor): Bencoded {
  if (cursor.values-- === 0) return cursor.fail('too many values');
  switch (cursor.bytes[cursor.at]) {
    case byteOf.i:
      cursor.at++;
      return decodeInteger(cursor, byteOf.e);
    case byteOf.l:
      return nested(cursor, decodeList);
    case byteOf.d:
      return nested(cursor, decodeDictionary);
    default:
      return decodeString(cursor);
  }
}

/** The depth is counted, because the call stack of QuickJS on a node is small. */
function nested<T extends Bencoded>(cursor: Cursor, decode: (cursor: Cursor) => T): T {
  if (cursor.depth-- === 0) return cursor.fail('too many levels');
  cursor.at++;
  const value = decode(cursor);
  cursor.depth++;
  return value;
}

function decodeList(cursor: Cursor): readonly Bencoded[] {
  const values: Bencoded[] = [];
  while (!atEnd(cursor)) values.push(decodeValue(cursor));
  return values;
}

function decodeDictionary(cursor: Cursor): BencodedDictionary {
  const entries = new Map<string, Bencoded>();
  let last: string | undefined;
  while (!atEnd(cursor)) {
    const key = textOf(decodeString(cursor));
    if (last !== undefined && key <= last) cursor.fail('keys out of order');
    last = key;
    entries.set(key, decodeValue(cursor));
  }
  return entries;
}

/** Whether the list or dictionary ends here; then the cursor is past its end. */
function atEnd(cursor: Cursor): boolean {
  if (cursor.bytes[cursor.at] !== byteOf.e) return false;
  cursor.at++;
  return true;
}

function decodeString(cursor: Cursor): Uint8Array {
  if (cursor.bytes[cursor.at] === byteOf.minus) cursor.fail('a negative length');
  const length = decodeInteger(cursor, byteOf.colon);
  if (length > cursor.bytes.length - cursor.at) cursor.fail('a string longer than the rest');
  const start = cursor.at;
  cursor.at += length;
  return cursor.bytes.subarray(start, cursor.at);
}

function decodeInteger(cursor: Cursor, end: number): number {
  const start = cursor.at;
  const isNegative = cursor.bytes[cursor.at] === byteOf.minus;
  if (isNegative) cursor.at++;
  let value = 0;
  let digits = 0;
  for (; isDigit(cursor.bytes[cursor.at]); cursor.at++, digits++) {
    value = value * 10 + ((cursor.bytes[cursor.at] as number) - byteOf.zero);
    if (value > Number.MAX_SAFE_INTEGER) cursor.fail('a number above 2^53');
  }
  const hasLeadingZero = cursor.bytes[start + (isNegative ? 1 : 0)] === byteOf.zero && (digits > 1 || isNegative);
  if (digits === 0 || hasLeadingZero || cursor.bytes[cursor.at] !== end) cursor.fail('a malformed number');
  cursor.at++;
  return isNegative ? -value : value;
}

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= byteOf.zero && byte <= byteOf.nine;
}

function encodeInto(parts: Uint8Array[], value: Bencoded): void {
  if (typeof value === 'number') parts.push(encodeInteger(value));
  else if (value instanceof Uint8Array) parts.push(bytesOf(`${value.length}:`), value);
  else if (isDictionary(value)) encodeDictionary(parts, value);
  else {
    parts.push(bytesOf('l'));
    for (const one of value) encodeInto(parts, one);
    parts.push(bytesOf('e'));
  }
}

function isDictionary(value: readonly Bencoded[] | BencodedDictionary): value is BencodedDictionary {
  return value instanceof Map;
}

function encodeInteger(value: number): Uint8Array {
  if (!Number.isSafeInteger(value)) throw new RangeError(`Cannot encode ${value}: expected a safe integer`);
  return bytesOf(`i${value === 0 ? 0 : value}e`);
}

function encodeDictionary(parts: Uint8Array[], entries: BencodedDictionary): void {
  parts.push(bytesOf('d'));
  const keys = [...entries.keys()].sort((a, b) => (a < b ? -1 : 1));
  for (const key of keys) {
    parts.push(bytesOf(`${key.length}:${key}`));
    encodeInto(parts, entries.get(key) as Bencoded);
  }
  parts.push(bytesOf('e'));
}
