import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decodeBase64, encodeBase64 } from './base64.ts';

test('encodeBase64() writes what Node writes, and decodeBase64() reads it back', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      const text = encodeBase64(bytes);
      expect(text).toBe(Buffer.from(bytes).toString('base64'));
      expect(decodeBase64(text)).toEqual(bytes);
    }),
  );
});

test.each(['A', 'AA', 'AAA', 'A===', 'AAAA\n', 'AA==AA==', 'AB==', 'A-_A', 'AAAA=', '===='])(
  'decodeBase64() refuses %j',
  (text) => {
    expect(decodeBase64(text)).toBeUndefined();
  },
);
