import oracle from 'bencode';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Bencoded, bytesOf, decodeBencode, encodeBencode, textOf } from './bencode.ts';
import { Fault } from './fault.ts';

const bencoded: fc.Arbitrary<Bencoded> = fc.letrec<{ value: Bencoded }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    fc.maxSafeInteger().map((value) => (value === 0 ? 0 : value)),
    fc.uint8Array({ maxLength: 20 }),
    fc.array(tie('value'), { maxLength: 4 }),
    fc
      .array(fc.tuple(fc.uint8Array({ maxLength: 5 }), tie('value')), { maxLength: 4 })
      .map((entries) => new Map(entries.map(([key, value]) => [textOf(key), value]))),
  ),
})).value;

function decodeText(text: string): Bencoded {
  return decodeBencode(bytesOf(text));
}

test('decodeBencode() reads back what encodeBencode() wrote', () => {
  fc.assert(
    fc.property(bencoded, (value) => {
      expect(decodeBencode(encodeBencode(value))).toEqual(value);
    }),
  );
});

test('encodeBencode() writes what the npm package reads as the same', () => {
  fc.assert(
    fc.property(
      fc.dictionary(fc.stringMatching(/^[a-z]{1,5}$/), fc.maxSafeInteger(), { noNullPrototype: true }),
      (entries) => {
        const bytes = encodeBencode(new Map(Object.entries(entries)));
        expect({ ...oracle.decode(bytes) }).toEqual(entries);
      },
    ),
  );
});

test('decodeBencode() returns a canonical value or a fault for any bytes', () => {
  const anyBytes = fc.oneof(
    fc.uint8Array({ maxLength: 60 }),
    fc
      .array(fc.constantFrom(...'dlie0123456789:-a'), { maxLength: 40 })
      .map((characters) => bytesOf(characters.join(''))),
  );
  fc.assert(
    fc.property(anyBytes, (bytes) => {
      try {
        expect(encodeBencode(decodeBencode(bytes))).toEqual(bytes);
      } catch (error) {
        if (!(error instanceof Fault)) throw error;
        expect(error.code).toBe('BENCODE_INVALID');
      }
    }),
    { numRuns: 3000 },
  );
});

test.each([
  ['i-0e', 'a malformed number'],
  ['i03e', 'a malformed number'],
  ['i-01e', 'a malformed number'],
  ['ie', 'a malformed number'],
  ['i1', 'a malformed number'],
  ['i9007199254740993e', 'a number above 2^53'],
  ['01:a', 'a malformed number'],
  ['-1:a', 'a negative length'],
  ['3:ab', 'a string longer than the rest'],
  ['i1ei2e', 'more bytes after the end'],
  ['d1:bi1e1:ai1ee', 'keys out of order'],
  ['d1:ai1e1:ai1ee', 'keys out of order'],
  ['di1ei1ee', 'a malformed number'],
  ['l', 'a malformed number'],
  ['', 'a malformed number'],
])('decodeBencode() refuses %s: %s', (text, reason) => {
  expect(() => decodeText(text)).toThrow(reason);
});

test('decodeBencode() refuses nesting and numbers of values beyond its limits', () => {
  expect(() => decodeText('l'.repeat(100_000))).toThrow('too many levels');
  expect(() => decodeText(`l${'le'.repeat(100_000)}e`)).toThrow('too many values');
  expect(decodeText(`${'l'.repeat(8)}${'e'.repeat(8)}`)).toEqual([[[[[[[[]]]]]]]]);
});

test('decodeBencode() throws the code that its caller names', () => {
  const error = (() => {
    try {
      return decodeBencode(bytesOf('x'), { what: 'the torrent', code: 'TORRENT_INVALID' });
    } catch (error) {
      return error;
    }
  })();
  expect(error).toMatchObject({ code: 'TORRENT_INVALID', message: expect.stringContaining('Cannot read the torrent') });
});
