import fc from 'fast-check';
import { expect, it } from 'vitest';
import { encodeUtf8 } from './utf8.ts';

it('encodeUtf8() is what TextEncoder gives', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      expect(encodeUtf8(text)).toEqual(new TextEncoder().encode(text));
    }),
  );
  expect(encodeUtf8('aä€😀')).toEqual(new TextEncoder().encode('aä€😀'));
});

it('encodeUtf8() makes a question mark of a lone surrogate', () => {
  expect(encodeUtf8('a\ud800b')).toEqual(Uint8Array.of(0x61, 0x3f, 0x62));
});
