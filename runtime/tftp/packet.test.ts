import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Fault } from '#bundle/fault.ts';
import { readPcap } from '../dhcp/testdata/pcap.ts';
import { toNetascii } from './content.ts';
import { negotiate } from './negotiate.ts';
import { decodeRequest, encodeData, encodeError, encodeOack } from './packet.ts';

const bytesOf = (text: string) => Uint8Array.from(text, (character) => character.charCodeAt(0));

test('decodeRequest() reads what OVMF and iPXE send', () => {
  const requests = readPcap('ovmf-pxe-snponly').flatMap(({ to, bytes }) =>
    to.port === 69 ? [decodeRequest(bytes)] : [],
  );
  expect(requests).toEqual([
    {
      kind: 'read',
      name: 'snponly.efi',
      mode: 'octet',
      options: new Map([
        ['tsize', '0'],
        ['blksize', '1468'],
        ['windowsize', '4'],
      ]),
    },
    {
      kind: 'read',
      name: 'snponly.efi',
      mode: 'octet',
      options: new Map([
        ['blksize', '1468'],
        ['windowsize', '4'],
      ]),
    },
    {
      kind: 'read',
      name: 'autoexec.ipxe',
      mode: 'octet',
      options: new Map([
        ['blksize', '1432'],
        ['tsize', '0'],
      ]),
    },
  ]);
});

test('decodeRequest() reads modes and option names in any case, the first of a name', () => {
  expect(decodeRequest(bytesOf('\0\x01a\0OcTeT\0BLKSIZE\x001024\0blksize\x0099\0'))).toEqual({
    kind: 'read',
    name: 'a',
    mode: 'octet',
    options: new Map([['blksize', '1024']]),
  });
});

test.each([
  [''],
  ['\0'],
  ['\0\x01'],
  ['\0\x01a'],
  ['\0\x01a\0octet'],
  ['\0\x01\0octet\0'],
  ['\0\x04\0'],
  [`\0\x01${'a'.repeat(505)}\0octet\0`],
])('decodeRequest() refuses %j', (text) => {
  expect(() => decodeRequest(bytesOf(text))).toThrow(expect.objectContaining({ code: 'TFTP_PACKET_INVALID' }));
});

test('decodeRequest() of any bytes returns a request or throws its Fault', () => {
  const start = fc.constantFrom([], [0, 1], [0, 4], [0, 5]);
  fc.assert(
    fc.property(start, fc.uint8Array({ maxLength: 600 }), (head, tail) => {
      try {
        expect(decodeRequest(Uint8Array.from([...head, ...tail]))).toHaveProperty('kind');
      } catch (error) {
        expect(error).toBeInstanceOf(Fault);
      }
    }),
    { numRuns: 2000 },
  );
});

test.each([
  ['blksize', '7', undefined],
  ['blksize', '8', '8'],
  ['blksize', '1468', '1468'],
  ['blksize', '65464', '1468'],
  ['blksize', '65465', undefined],
  ['blksize', 'abc', undefined],
  ['windowsize', '0', undefined],
  ['windowsize', '4', '4'],
  ['windowsize', '65535', '32'],
  ['timeout', '0', undefined],
  ['timeout', '255', '255'],
  ['timeout', '256', undefined],
  ['tsize', '0', '4711'],
  ['multicast', '', undefined],
])('negotiate() answers %s=%s with %s', (name, value, wanted) => {
  expect(negotiate(new Map([[name, value]]), 4711).accepted.get(name)).toBe(wanted);
});

test('encoders give the packets of RFC 1350 and 2347', () => {
  expect(encodeData(258, Uint8Array.of(9))).toEqual(Uint8Array.of(0, 3, 1, 2, 9));
  expect(encodeError(1, 'No')).toEqual(Uint8Array.of(0, 5, 0, 1, 78, 111, 0));
  expect(
    encodeOack(
      new Map([
        ['tsize', '7'],
        ['blksize', '8'],
      ]),
    ),
  ).toEqual(bytesOf('\0\x06tsize\x007\0blksize\x008\0'));
});

test('toNetascii() changes line ends', () => {
  expect(toNetascii(bytesOf('a\nb\rc'))).toEqual(bytesOf('a\r\nb\r\0c'));
});
