import fc from 'fast-check';
import { expect, it } from 'vitest';
import { cleanText, fitWidth, formatBytes, formatSeconds, wrap } from './text.ts';

it('cleanText() makes escape sequences, wide characters and marks harmless', () => {
  expect(cleanText('\x1b[2J\x9b1mok\u0007', 'utf8')).toBe('?[2J?1mok?');
  expect(cleanText('日本 😀 e\u0301 \u202ex', 'utf8')).toBe('?? ? é ?x');
  expect(cleanText('tab\tand\nline', 'ascii')).toBe('tab and line');
});

it('cleanText() writes what it can in ASCII', () => {
  expect(cleanText('Größe – „Müsli“ é Ω', 'ascii')).toBe('Groesse - "Muesli" e O'.replace(/O$/, '?'));
});

it('cleanText() and fitWidth() give exactly the width, of printable characters', () => {
  const printable = { utf8: /^[^\p{C}\p{M}\u1100-\uffff]*$/u, ascii: /^[\x20-\x7e]*$/ };
  fc.assert(
    fc.property(
      fc.string({ unit: 'binary' }),
      fc.nat(100),
      fc.constantFrom('utf8', 'ascii'),
      (text, width, charset) => {
        const shown = fitWidth(cleanText(text, charset), width);
        expect(shown.length).toBe(width);
        expect(shown.replace(/[\u2013-\u20ac]/g, '')).toMatch(printable[charset]);
      },
    ),
  );
});

it('wrap() breaks at spaces, and words that are too long', () => {
  expect(wrap('one two three', 7)).toEqual(['one two', 'three']);
  expect(wrap('abcdefghij', 4)).toEqual(['abcd', 'efgh', 'ij']);
  fc.assert(
    fc.property(fc.string(), fc.integer({ min: 1, max: 30 }), (text, width) => {
      expect(wrap(text, width).every((line) => line.length <= width)).toBe(true);
    }),
  );
});

it('formatBytes() and formatSeconds() are for people', () => {
  expect([0, 1_440_000, 62_400_000, 999_600_000, 1_400_000_000].map(formatBytes)).toEqual([
    '0 MB',
    '1.4 MB',
    '62 MB',
    '1.0 GB',
    '1.4 GB',
  ]);
  expect([0.2, 59, 125, 3725].map(formatSeconds)).toEqual(['1 s', '59 s', '2:05', '1:02:05']);
});
