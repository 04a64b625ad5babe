import { Fault } from '#bundle/fault.ts';

/** Codes of RFC 1350 §5 and RFC 2347. */
export const errorCode = {
  undefined: 0,
  notFound: 1,
  accessViolation: 2,
  illegalOperation: 4,
  unknownTransfer: 5,
  badOptions: 8,
} as const;

/** What a node sends to a TFTP server. */
export type TftpRequest =
  | {
      readonly kind: 'read';
      readonly name: string;
      /** Lower case. */
      readonly mode: string;
      /** Names in lower case; the first of a name counts. */
      readonly options: ReadonlyMap<string, string>;
    }
  | { readonly kind: 'write' }
  | { readonly kind: 'ack'; readonly block: number }
  | { readonly kind: 'error'; readonly code: number; readonly message: string }
  | { readonly kind: 'other'; readonly opcode: number };

/** A request is at most this long (RFC 2347). */
const requestLimitBytes = 512;

/** @throws Fault `TFTP_PACKET_INVALID`, and nothing else for any bytes */
export function decodeRequest(bytes: Uint8Array): TftpRequest {
  const opcode = readUint16(bytes, 0);
  switch (opcode) {
    case 1:
      return decodeRead(bytes.subarray(2));
    case 2:
      return { kind: 'write' };
    case 4:
      return { kind: 'ack', block: readUint16(bytes, 2) };
    case 5:
      return { kind: 'error', code: readUint16(bytes, 2), message: textOf(bytes.subarray(4)).slice(0, 100) };
    default:
      return { kind: 'other', opcode };
  }
}

/** A DATA packet with room for its payload, which starts at byte 4. */
export function encodeData(block: number, payload: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(4 + payload.length);
  bytes.set([0, 3, (block >> 8) & 255, block & 255]);
  bytes.set(payload, 4);
  return bytes;
}

export function encodeError(code: number, message: string): Uint8Array {
  return Uint8Array.of(0, 5, 0, code, ...textBytes(message), 0);
}

/** The acknowledgement of options. */
export function encodeOack(options: ReadonlyMap<string, string>): Uint8Array {
  const text = [...options].map(([name, value]) => `${name}\0${value}\0`).join('');
  return Uint8Array.of(0, 6, ...textBytes(text));
}

function decodeRead(body: Uint8Array): TftpRequest {
  if (body.length > requestLimitBytes - 2) throw invalid('it is longer than 512 bytes');
  const fields = textOf(body).split('\0');
  // Every field ends with a NUL, so the last piece is empty; some ROMs pad with more of them.
  const [name, mode, ...rest] = fields.slice(0, -1);
  if (fields.at(-1) !== '' || !name || mode === undefined) throw invalid('it has no file name or mode');
  const options = new Map<string, string>();
  for (let at = 0; at + 1 < rest.length; at += 2) {
    const key = rest[at]!.toLowerCase();
    if (key !== '' && !options.has(key)) options.set(key, rest[at + 1]!);
  }
  return { kind: 'read', name, mode: mode.toLowerCase(), options };
}

function readUint16(bytes: Uint8Array, offset: number): number {
  if (bytes.length < offset + 2) throw invalid(`it has ${bytes.length} bytes`);
  return bytes[offset]! * 256 + bytes[offset + 1]!;
}

function textOf(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes.subarray(0, requestLimitBytes));
}

function textBytes(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

function invalid(reason: string): Fault {
  return new Fault('TFTP_PACKET_INVALID', `Cannot read the TFTP packet: ${reason}`);
}
