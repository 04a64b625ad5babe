import { expect, test } from 'vitest';
import { parseDigest, parseMac, parseSessionId } from '#bundle/digest.ts';
import { bootstrapCmdline } from './cmdline.ts';

const line = {
  server: 'http://10.20.0.1:8480',
  session: parseSessionId('0123456789abcdef0123456789abcdef'),
  mac: parseMac('52:54:00:aa:bb:cc'),
  bootstrap: parseDigest('a'.repeat(64)),
};

test('bootstrapCmdline() puts our parameters first and joins the rest', () => {
  expect(bootstrapCmdline({ ...line, extra: ['console=tty0 ', undefined, '', 'quiet'] })).toBe(
    `bt.server=http://10.20.0.1:8480 bt.session=0123456789abcdef0123456789abcdef bt.mac=52:54:00:aa:bb:cc bt.bootstrap=${'a'.repeat(64)} console=tty0 quiet`,
  );
});

test.each([
  ['x'.repeat(2000), 'CMDLINE_TOO_LONG'],
  ['a\nb', 'CMDLINE_INVALID'],
])('bootstrapCmdline() refuses what the kernel would cut or garble (%#)', (extra, code) => {
  expect(() => bootstrapCmdline({ ...line, extra: [extra] })).toThrow(expect.objectContaining({ code }));
});
