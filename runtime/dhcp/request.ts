import { type Mac, parseMac } from '#bundle/digest.ts';
import type { DhcpSpeaker } from '../boot/event.ts';
import { type Firmware, firmwareOf, isHttpBoot } from '../boot/firmware.ts';
import { type Ipv4, readAddress } from './address.ts';
import { findOption, optionCode } from './options.ts';
import { type DhcpPacket, textOf } from './packet.ts';

const kinds = { 1: 'discover', 3: 'request', 4: 'decline', 7: 'release', 8: 'inform' } as const;
export type RequestKind = (typeof kinds)[keyof typeof kinds];

/** What a node's packet says, read once. */
export interface DhcpRequest {
  readonly kind: RequestKind;
  readonly mac: Mac;
  readonly speaker: DhcpSpeaker;
  /** `unknown` for an operating system, which names none. */
  readonly firmware: Firmware;
  /** Option 60 up to the first colon. */
  readonly vendorClass: string;
  readonly requestedAddress: Ipv4 | undefined;
  readonly serverId: Ipv4 | undefined;
  /** Boot item asked of a boot server (option 43.71), the server's type; layer left out. */
  readonly bootItem: number | undefined;
}

/** Why a packet cannot be a request to us. */
export type NoRequest =
  | 'a reply'
  | 'no Ethernet address'
  | 'a group address'
  | 'no known message type'
  | 'a bad option';

/** Reads a request, or says why it is none. */
export function readRequest(packet: DhcpPacket): DhcpRequest | NoRequest {
  if (packet.op !== 1) return 'a reply';
  if (packet.htype !== 1 || packet.chaddr.length !== 6) return 'no Ethernet address';
  if (packet.chaddr[0]! & 1 || packet.chaddr.every((byte) => byte === 0)) return 'a group address';
  const type = findOption(packet.options, optionCode.messageType);
  const kind = type?.length === 1 ? kinds[type[0] as keyof typeof kinds] : undefined;
  if (!kind) return 'no known message type';
  if (hasBadLength(packet)) return 'a bad option';
  const vendorClass = textOf(findOption(packet.options, optionCode.vendorClass) ?? new Uint8Array());
  const firmware = readFirmware(packet);
  return {
    kind,
    mac: parseMac([...packet.chaddr].map((byte) => byte.toString(16).padStart(2, '0')).join(':')),
    speaker: readSpeaker(packet, vendorClass),
    firmware,
    vendorClass: vendorClass.split(':')[0] ?? '',
    requestedAddress: readOptionAddress(packet, optionCode.requestedAddress),
    serverId: readOptionAddress(packet, optionCode.serverId),
    bootItem: readBootItem(findOption(packet.options, optionCode.vendorSpecific)),
  };
}

/** Fixed-size options whose length is wrong: to guess what was meant would be to answer somebody else's question. */
function hasBadLength(packet: DhcpPacket): boolean {
  const bad = (code: number, isGood: (length: number) => boolean) => {
    const value = findOption(packet.options, code);
    return value !== undefined && !isGood(value.length);
  };
  const isAddress = (length: number) => length === 4;
  return (
    bad(optionCode.requestedAddress, isAddress) ||
    bad(optionCode.serverId, isAddress) ||
    bad(optionCode.maxMessageSize, (length) => length === 2) ||
    bad(optionCode.architecture, (length) => length > 0 && length % 2 === 0)
  );
}

/** iPXE names itself in the user class (plain text or with RFC 3004's length byte) and by having option 175. */
function readSpeaker(packet: DhcpPacket, vendorClass: string): DhcpSpeaker {
  const userClass = findOption(packet.options, optionCode.userClass);
  const isIpxe = userClass !== undefined && /^.?iPXE$/s.test(String.fromCharCode(...userClass));
  if (isIpxe || findOption(packet.options, optionCode.ipxe)) return 'ipxe';
  return /^(PXE|HTTP)Client/.test(vendorClass) ? 'firmware' : 'os';
}

/** iPXE goes on calling itself by its platform after UEFI HTTP boot, so only firmware itself is `-http`. */
function readFirmware(packet: DhcpPacket): Firmware {
  const types = findOption(packet.options, optionCode.architecture);
  if (!types) return 'unknown';
  const numbers = Array.from(
    { length: types.length / 2 },
    (_, index) => types[2 * index]! * 256 + types[2 * index + 1]!,
  );
  return firmwareOf(numbers);
}

function readOptionAddress(packet: DhcpPacket, code: number): Ipv4 | undefined {
  const value = findOption(packet.options, code);
  return value && readAddress(value);
}

function readBootItem(vendorSpecific: Uint8Array | undefined): number | undefined {
  let at = 0;
  while (vendorSpecific && at + 1 < vendorSpecific.length) {
    const [code, length] = [vendorSpecific[at]!, vendorSpecific[at + 1]!];
    if (code === 71 && length === 4 && at + 6 <= vendorSpecific.length) {
      return vendorSpecific[at + 2]! * 256 + vendorSpecific[at + 3]!;
    }
    at += code === 0 ? 1 : 2 + length;
  }
  return undefined;
}

/** Whether a request is network boot by its vendor class, of firmware or iPXE. */
export function isNetworkBoot(request: DhcpRequest): boolean {
  return request.vendorClass === 'PXEClient' || request.vendorClass === 'HTTPClient';
}

/** Whether firmware itself does UEFI HTTP boot. */
export function isHttpRequest(request: DhcpRequest): boolean {
  return request.speaker === 'firmware' && request.vendorClass === 'HTTPClient' && isHttpBoot(request.firmware);
}
