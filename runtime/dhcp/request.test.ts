import { expect, test } from 'vitest';
import { openLeaseTable } from './lease.ts';
import { reply } from './reply.ts';
import { from, now, packetWith } from './testdata/ask.ts';
import { view } from './testdata/view.ts';

test.each([
  ['a reply', { op: 2 }, {}],
  ['no Ethernet address', { htype: 6 }, {}],
  ['no Ethernet address', { chaddr: new Uint8Array(16) }, {}],
  ['a group address', { chaddr: new Uint8Array(6) }, {}],
  ['a group address', { chaddr: new Uint8Array(6).fill(255) }, {}],
  ['no known message type', {}, { 53: Uint8Array.of(10) }],
  ['no known message type', {}, { 53: new Uint8Array() }],
  ['a bad option', {}, { 50: Uint8Array.of(1) }],
  ['a bad option', {}, { 93: Uint8Array.of(0, 0, 7) }],
] as const)('reply() ignores %s', (reason, fields, options) => {
  const received = { packet: packetWith(fields, options), listener: 'dhcp', from } as const;
  expect(reply(received, view, openLeaseTable(), now)).toEqual({ kind: 'ignore', reason });
});
