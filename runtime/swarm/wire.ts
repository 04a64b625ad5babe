import { type Bencoded, bytesOf, encodeBencode } from '#bundle/bencode.ts';
import { type InfoHash, parseInfoHash } from '#bundle/digest.ts';
import { Fault } from '#bundle/fault.ts';

/** What a seeder understands of a peer: BEP 3, BEP 6 (fast extension) and that there is a BEP 10. */
export type WireMessage =
  | {
      readonly kind: 'handshake';
      readonly infoHash: InfoHash;
      readonly hasFast: boolean;
      readonly hasExtended: boolean;
    }
  | { readonly kind: 'have'; readonly piece: number }
  | { readonly kind: 'bitfield'; readonly bits: Uint8Array }
  | { readonly kind: 'have-all' | 'have-none' }
  | ({ readonly kind: 'request' | 'cancel' } & Block)
  /** Legal, and of no concern to a seeder: choke, interested, keep-alive, an extended message. */
  | { readonly kind: 'other' };

export interface Block {
  readonly piece: number;
  readonly offsetBytes: number;
  readonly sizeBytes: number;
}

/** Larger requests end the connection (BEP 3: "all current implementations … close connections which request more"). */
export const blockLimitBytes = 16 * 1024;
/** Requests that a peer may have waiting; told to it as `reqq`. */
export const requestLimit = 1024;

export interface WireReader {
  /** @throws Fault `WIRE_INVALID`; then the connection is to be closed, and the reader not to be used again */
  push(chunk: Uint8Array): readonly WireMessage[];
}

const protocol = bytesOf('\u0013BitTorrent protocol');
const handshakeBytes = 68;
const messageLimitBytes = 64 * 1024;

const id = {
  choke: 0,
  unchoke: 1,
  interested: 2,
  notInterested: 3,
  have: 4,
  bitfield: 5,
  request: 6,
  piece: 7,
  cancel: 8,
  port: 9,
  haveAll: 14,
  haveNone: 15,
  reject: 16,
  extended: 20,
} as const;

/** Cuts a byte stream into messages; buffers one message at most. */
export function createWireReader(): WireReader {
  let rest: Uint8Array = new Uint8Array(0);
  let hasHandshake = false;
  return {
    push(chunk) {
      let bytes = rest.length === 0 ? chunk : concat(rest, chunk);
      const messages: WireMessage[] = [];
      for (;;) {
        const frame = hasHandshake ? frameOf(bytes) : handshakeOf(bytes);
        if (!frame) break;
        hasHandshake = true;
        messages.push(frame.message);
        bytes = bytes.subarray(frame.sizeBytes);
      }
      // A copy: a view would keep the whole chunk of the socket in memory.
      rest = bytes.slice();
      return messages;
    },
  };
}

/** @param peerId 20 bytes */
export function encodeHandshake(infoHash: InfoHash, peerId: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(handshakeBytes);
  bytes.set(protocol);
  bytes[25] = 0x10; // BEP 10
  bytes[27] = 0x04; // BEP 6
  for (let at = 0; at < 20; at++) bytes[28 + at] = Number.parseInt(infoHash.slice(2 * at, 2 * at + 2), 16);
  bytes.set(peerId, 48);
  return bytes;
}

export function encodeUnchoke(): Uint8Array {
  return message(id.unchoke);
}

export function encodeKeepAlive(): Uint8Array {
  return new Uint8Array(4);
}

export function encodeHaveAll(): Uint8Array {
  return message(id.haveAll);
}

export function encodeHaveNone(): Uint8Array {
  return message(id.haveNone);
}

/** The bitfield of a peer that has all pieces; spare bits are zero. */
export function encodeFullBitfield(pieceCount: number): Uint8Array {
  const bits = new Uint8Array(Math.ceil(pieceCount / 8)).fill(0xff);
  if (pieceCount % 8 !== 0) bits[bits.length - 1] = 0xff << (8 - (pieceCount % 8));
  return concat(message(id.bitfield, [], bits.length), bits);
}

/** One HAVE for each piece, end to end. */
export function encodeHaves(pieces: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(9 * pieces.length);
  for (const [index, piece] of pieces.entries()) bytes.set(message(id.have, [piece]), 9 * index);
  return bytes;
}

export function encodeReject({ piece, offsetBytes, sizeBytes }: Block): Uint8Array {
  return message(id.reject, [piece, offsetBytes, sizeBytes]);
}

/** The head of a piece message; the block's bytes follow. */
export function encodePieceHead({ piece, offsetBytes, sizeBytes }: Block): Uint8Array {
  return message(id.piece, [piece, offsetBytes], sizeBytes);
}

/** We take part in no extension; a peer learns how many requests it may send ahead. */
export function encodeExtendedHandshake(): Uint8Array {
  const fields = new Map<string, Bencoded>([
    ['m', new Map()],
    ['reqq', requestLimit / 2],
    ['v', bytesOf('BootTorrent')],
  ]);
  const body = encodeBencode(fields);
  return concat(message(id.extended, [], 1 + body.length), Uint8Array.of(0), body);
}

/** The pieces whose bits are set. @throws Fault `WIRE_INVALID` for a wrong length or spare bits that are set (BEP 3) */
export function piecesOf(bits: Uint8Array, pieceCount: number): readonly number[] {
  if (bits.length !== Math.ceil(pieceCount / 8)) invalid('a bitfield of another length');
  const pieces: number[] = [];
  for (let piece = 0; piece < bits.length * 8; piece++) {
    if ((((bits[piece >> 3] ?? 0) << (piece & 7)) & 0x80) !== 0) pieces.push(piece);
  }
  if ((pieces.at(-1) ?? 0) >= pieceCount) invalid('a bitfield with spare bits');
  return pieces;
}

interface Frame {
  readonly message: WireMessage;
  readonly sizeBytes: number;
}

function handshakeOf(bytes: Uint8Array): Frame | undefined {
  const known = Math.min(bytes.length, protocol.length);
  for (let at = 0; at < known; at++) if (bytes[at] !== protocol[at]) invalid('no BitTorrent handshake');
  if (bytes.length < handshakeBytes) return undefined;
  const infoHash = parseInfoHash(Array.from(bytes.subarray(28, 48), hex).join(''));
  const hasExtended = ((bytes[25] ?? 0) & 0x10) !== 0;
  const hasFast = ((bytes[27] ?? 0) & 0x04) !== 0;
  return { message: { kind: 'handshake', infoHash, hasFast, hasExtended }, sizeBytes: handshakeBytes };
}

function frameOf(bytes: Uint8Array): Frame | undefined {
  if (bytes.length < 4) return undefined;
  const length = numberAt(bytes, 0);
  if (length > messageLimitBytes) invalid(`a message of ${length} bytes`);
  if (bytes.length < 4 + length) return undefined;
  const sizeBytes = 4 + length;
  if (length === 0) return { message: { kind: 'other' }, sizeBytes };
  return { message: decodeMessage(bytes[4] ?? 0, bytes.subarray(5, sizeBytes)), sizeBytes };
}

function decodeMessage(kind: number, body: Uint8Array): WireMessage {
  switch (kind) {
    case id.choke:
    case id.unchoke:
    case id.interested:
    case id.notInterested:
      wantLength(body, 0);
      return { kind: 'other' };
    case id.have:
      wantLength(body, 4);
      return { kind: 'have', piece: numberAt(body, 0) };
    case id.bitfield:
      return { kind: 'bitfield', bits: body.slice() };
    case id.request:
      return { kind: 'request', ...blockOf(body) };
    case id.cancel:
      return { kind: 'cancel', ...blockOf(body) };
    case id.haveAll:
    case id.haveNone:
      wantLength(body, 0);
      return { kind: kind === id.haveAll ? 'have-all' : 'have-none' };
    case id.piece:
      return invalid('a piece that nobody asked for');
    default:
      // Ports of a DHT, suggestions, extended messages, and what a later BEP adds.
      return { kind: 'other' };
  }
}

function blockOf(body: Uint8Array): Block {
  wantLength(body, 12);
  return { piece: numberAt(body, 0), offsetBytes: numberAt(body, 4), sizeBytes: numberAt(body, 8) };
}

function wantLength(body: Uint8Array, length: number): void {
  if (body.length !== length) invalid('a message of a wrong length');
}

function invalid(reason: string): never {
  throw new Fault('WIRE_INVALID', `Cannot go on with the peer: ${reason}`);
}

/** A message's head with its numbers; the length counts `moreBytes` that follow. */
function message(kind: number, numbers: readonly number[] = [], moreBytes = 0): Uint8Array {
  const bytes = new Uint8Array(5 + 4 * numbers.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, bytes.length - 4 + moreBytes);
  bytes[4] = kind;
  for (const [index, value] of numbers.entries()) view.setUint32(5 + 4 * index, value);
  return bytes;
}

function numberAt(bytes: Uint8Array, at: number): number {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(at);
}

function concat(...parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((total, part) => total + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

function hex(byte: number): string {
  return byte.toString(16).padStart(2, '0');
}
