import Wire from 'bittorrent-protocol';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { bytesOf } from '#bundle/bencode.ts';
import { parseInfoHash } from '#bundle/digest.ts';
import { Fault } from '#bundle/fault.ts';
import {
  createWireReader,
  encodeExtendedHandshake,
  encodeFullBitfield,
  encodeHandshake,
  encodeHaveAll,
  encodeHaveNone,
  encodeHaves,
  encodeKeepAlive,
  encodePieceHead,
  encodeReject,
  encodeUnchoke,
  piecesOf,
  type WireMessage,
} from './wire.ts';

const infoHash = parseInfoHash('00112233445566778899aabbccddeeff01234567');
const handshake = encodeHandshake(infoHash, bytesOf('-BT0100-000000000000'));

/** The messages behind a handshake, fed to a reader in pieces of some length. */
function read(bytes: Uint8Array, stride = 1000): WireMessage[] {
  const reader = createWireReader();
  const stream = Uint8Array.from([...handshake, ...bytes]);
  const messages: WireMessage[] = [];
  for (let at = 0; at < stream.length; at += stride) messages.push(...reader.push(stream.subarray(at, at + stride)));
  return messages.slice(1);
}

/** Streams hand on what they hold in later turns of the event loop. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
}

/** What a foreign implementation writes. */
async function foreign(write: (wire: Wire) => void): Promise<Uint8Array> {
  const wire = new Wire();
  const chunks: Uint8Array[] = [];
  wire.on('data', (chunk: Uint8Array) => chunks.push(chunk));
  write(wire);
  await settled();
  wire.destroy();
  return new Uint8Array(Buffer.concat(chunks));
}

test('push() reads its own handshake and its flags', () => {
  expect(createWireReader().push(handshake)).toEqual([
    { kind: 'handshake', infoHash, hasFast: true, hasExtended: true },
  ]);
});

test('push() reads what bittorrent-protocol writes, however the stream is cut', async () => {
  const bytes = await foreign((wire) => {
    wire.handshake(infoHash, '2d4254303130302d303030303030303030303030', { fast: true });
    wire.bitfield(Uint8Array.of(0b1010_0000));
    wire.interested();
    wire.peerChoking = false;
    wire.have(7);
    wire.request(3, 16_384, 16_384, () => {});
    wire.cancel(3, 16_384, 16_384);
    wire.keepAlive();
  });
  expect(bytes.length).toBeGreaterThan(68);
  for (const stride of [1, 5, 68, 1000]) {
    const reader = createWireReader();
    const messages: WireMessage[] = [];
    for (let at = 0; at < bytes.length; at += stride) messages.push(...reader.push(bytes.subarray(at, at + stride)));
    expect(messages).toEqual([
      { kind: 'handshake', infoHash, hasFast: true, hasExtended: true },
      { kind: 'bitfield', bits: Uint8Array.of(0b1010_0000) },
      { kind: 'other' },
      { kind: 'have', piece: 7 },
      { kind: 'request', piece: 3, offsetBytes: 16_384, sizeBytes: 16_384 },
      { kind: 'cancel', piece: 3, offsetBytes: 16_384, sizeBytes: 16_384 },
      { kind: 'other' },
    ]);
  }
});

test('bittorrent-protocol reads what the encoders write', async () => {
  const wire = new Wire();
  const heard: unknown[] = [];
  wire.on('handshake', (hash: string) => heard.push(['handshake', hash]));
  wire.on('have-none', () => heard.push(['have-none']));
  wire.on('have', (piece: number) => heard.push(['have', piece]));
  wire.on('unchoke', () => heard.push(['unchoke']));
  wire.on('extended', (kind: string, fields: { reqq?: number }) => heard.push(['extended', kind, fields.reqq]));
  wire.handshake(infoHash, '2d4254303130302d303030303030303030303030', { fast: true });
  const parts = [
    handshake,
    encodeHaveNone(),
    encodeExtendedHandshake(),
    encodeUnchoke(),
    encodeKeepAlive(),
    encodeHaves([5, 70_000]),
  ];
  wire.write(new Uint8Array(Buffer.concat(parts)));
  await settled();
  wire.destroy();
  expect(heard).toEqual([
    ['handshake', infoHash],
    ['have-none'],
    ['extended', 'handshake', 512],
    ['unchoke'],
    ['have', 5],
    ['have', 70_000],
  ]);
});

test('the encoders write the bytes of BEP 3 and BEP 6', () => {
  const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');
  const block = { piece: 1, offsetBytes: 0x4000, sizeBytes: 0x4000 };
  expect(hex(encodePieceHead(block))).toBe('00004009070000000100004000');
  expect(hex(encodeReject(block))).toBe('0000000d10000000010000400000004000');
  expect(hex(encodeHaveAll())).toBe('000000010e');
  expect(hex(encodeFullBitfield(11))).toBe('0000000305ffe0');
  expect(hex(encodeFullBitfield(8))).toBe('0000000205ff');
});

test('piecesOf() names the set bits and refuses a wrong length and spare bits', () => {
  expect(piecesOf(Uint8Array.of(0b1000_0001, 0b0100_0000), 10)).toEqual([0, 7, 9]);
  expect(() => piecesOf(Uint8Array.of(0xff), 10)).toThrow('another length');
  expect(() => piecesOf(Uint8Array.of(0xff, 0b0010_0000), 10)).toThrow('spare bits');
});

test.each([
  ['bytes that are no handshake', 'GET / HTTP/1.1'],
  ['an encrypted handshake', String.fromCharCode(...Array.from({ length: 96 }, (_, index) => 255 - index))],
])('push() refuses %s', (_, text) => {
  expect(() => createWireReader().push(bytesOf(text))).toThrow('no BitTorrent handshake');
});

test.each<[string, number[]]>([
  ['a message of 4 GiB', [0xff, 0xff, 0xff, 0xff]],
  ['a message beyond its limit before its bytes are there', [0, 1, 0, 1]],
  ['a piece that nobody asked for', [0, 0, 0, 9, 7, 0, 0, 0, 0, 0, 0, 0, 0]],
  ['a HAVE of a wrong length', [0, 0, 0, 2, 4, 0]],
  ['a request of a wrong length', [0, 0, 0, 5, 6, 0, 0, 0, 0]],
])('push() refuses %s', (_, bytes) => {
  expect(() => read(Uint8Array.from(bytes))).toThrow(expect.objectContaining({ code: 'WIRE_INVALID' }));
});

test('push() returns messages or its fault for any bytes', () => {
  const number = fc.nat(20).map((value) => [0, 0, 0, value]);
  const message = fc
    .tuple(number, fc.nat(25), fc.uint8Array({ maxLength: 20 }))
    .map(([length, kind, rest]) => [...length, kind, ...rest]);
  fc.assert(
    fc.property(fc.array(message, { maxLength: 6 }), fc.integer({ min: 1, max: 40 }), (messages, stride) => {
      try {
        expect(read(Uint8Array.from(messages.flat()), stride)).toEqual(read(Uint8Array.from(messages.flat())));
      } catch (error) {
        if (!(error instanceof Fault)) throw error;
        expect(error.code).toBe('WIRE_INVALID');
      }
    }),
    { numRuns: 2000 },
  );
});
