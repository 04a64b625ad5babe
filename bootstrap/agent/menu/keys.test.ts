import fc from 'fast-check';
import { expect, it } from 'vitest';
import { decodeKeys, escapeMs, type Key, noKeys } from './keys.ts';

function keysOf(...chunks: readonly (string | Uint8Array)[]): string {
  let state = noKeys;
  const keys: Key[] = [];
  for (const chunk of [...chunks, '']) {
    const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
    const decoded = decodeKeys(state, bytes, 1000);
    state = decoded.state;
    keys.push(...decoded.keys);
  }
  return keys.map((key) => (key.kind === 'char' ? key.char : `<${key.kind}>`)).join('');
}

it('decodeKeys() reads arrows in both forms, and the keys of several terminals', () => {
  expect(keysOf('\x1b[A\x1b[B\x1bOA\x1bOB')).toBe('<up><down><up><down>');
  expect(keysOf('\x1b[5~\x1b[6~\x1b[1~\x1b[4~\x1b[7~\x1b[8~\x1b[H\x1b[F\x1bOH\x1bOF')).toBe(
    '<page-up><page-down><home><end><home><end><home><end><home><end>',
  );
  expect(keysOf('\r', '\n', '\x7f\b\t\x1b[Z\x0c\x15')).toBe(
    '<enter><backspace><backspace><tab><back-tab><redraw><clear>',
  );
  expect(keysOf('\x1bOM\x1b[1;5A')).toBe('<enter><up>');
});

it('decodeKeys() takes a carriage return with its line feed for one Enter', () => {
  expect(keysOf('\r\n\r\n\n')).toBe('<enter><enter><enter>');
});

it('decodeKeys() puts sequences and letters together that come in pieces', () => {
  expect(keysOf('\x1b', '[', 'A', '\x1b', 'O', 'B')).toBe('<up><down>');
  expect(keysOf(Uint8Array.of(0xc3), Uint8Array.of(0xa4))).toBe('ä');
});

it('decodeKeys() gives no letters for keys that it does not know', () => {
  expect(keysOf('\x1b[[A\x1b[15~\x1bOP\x1b[?1;2c')).toBe('');
});

it('decodeKeys() takes an Escape that nothing follows for the key', () => {
  const { state, keys } = decodeKeys(noKeys, Buffer.from('\x1b'), 1000);
  expect(keys).toEqual([]);
  expect(decodeKeys(state, new Uint8Array(), 1000 + escapeMs - 1).keys).toEqual([]);
  expect(decodeKeys(state, new Uint8Array(), 1000 + escapeMs).keys).toEqual([{ kind: 'escape' }]);
  expect(keysOf('\x1b\x1b', 'x\x1b', '\r')).toBe('<escape><escape>x<escape><enter>');
});

it('decodeKeys() hears nothing in the noise of an open line', () => {
  expect(keysOf(Uint8Array.of(0, 0xff, 0xfe, 0x80, 0xc0, 0xf8, 0x00, 0x1c))).toBe('');
});

it('decodeKeys() bears any bytes in any pieces', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 40 })), (chunks) => {
      let state = noKeys;
      chunks.forEach((chunk, index) => {
        const decoded = decodeKeys(state, chunk, index * 10);
        state = decoded.state;
        expect(state.pending.length).toBeLessThanOrEqual(16);
        for (const key of decoded.keys) if (key.kind === 'char') expect(key.char).toMatch(/^[^\p{Cc}\p{Cs}]$/u);
      });
    }),
  );
});
