import { Fault } from '#bundle/fault.ts';
import { addressBytes, type Ipv4, readAddress } from './address.ts';
import { type DhcpOption, decodeOptions, encodeOptions, optionCode } from './options.ts';

/** A DHCP packet (RFC 2131 §2). Options that were in `file` or `sname` (overload) are among `options`. */
export interface DhcpPacket {
  readonly op: number;
  readonly htype: number;
  readonly hops: number;
  readonly xid: number;
  readonly secs: number;
  readonly flags: number;
  readonly ciaddr: Ipv4;
  readonly yiaddr: Ipv4;
  readonly siaddr: Ipv4;
  readonly giaddr: Ipv4;
  /** As many bytes as `hlen` says, at most 16. */
  readonly chaddr: Uint8Array;
  /** Text up to the first NUL, one character a byte. */
  readonly sname: string;
  readonly file: string;
  readonly options: readonly DhcpOption[];
}

export const broadcastFlag = 0x8000;
/** Characters that fit into `file` with their NUL. */
export const fileLimit = 127;

const cookie = 0x63825363;
const area = { sname: [44, 108], file: [108, 236], options: 240 } as const;
/** Some ROMs and relays drop what is shorter than a BOOTP packet (RFC 1542 §2.1). */
const minimumBytes = 300;

/** @throws Fault `DHCP_PACKET_INVALID`, and nothing else for any bytes */
export function decodePacket(bytes: Uint8Array): DhcpPacket {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < area.options) throw invalid(`it has ${bytes.length} bytes of at least ${area.options}`);
  if (view.getUint32(236) !== cookie) throw invalid('it has no magic cookie');
  const hlen = bytes[2]!;
  if (hlen > 16) throw invalid(`its hardware address has ${hlen} bytes of at most 16`);
  return {
    op: bytes[0]!,
    htype: bytes[1]!,
    hops: bytes[3]!,
    xid: view.getUint32(4),
    secs: view.getUint16(8),
    flags: view.getUint16(10),
    ciaddr: readAddress(bytes, 12),
    yiaddr: readAddress(bytes, 16),
    siaddr: readAddress(bytes, 20),
    giaddr: readAddress(bytes, 24),
    chaddr: bytes.slice(28, 28 + hlen),
    ...decodeAreas(bytes),
  };
}

export function encodePacket(packet: DhcpPacket): Uint8Array {
  const options = encodeOptions(packet.options);
  const bytes = new Uint8Array(Math.max(minimumBytes, area.options + options.length + 1));
  const view = new DataView(bytes.buffer);
  bytes.set([packet.op, packet.htype, packet.chaddr.length, packet.hops]);
  view.setUint32(4, packet.xid);
  view.setUint16(8, packet.secs);
  view.setUint16(10, packet.flags);
  const addresses = [packet.ciaddr, packet.yiaddr, packet.siaddr, packet.giaddr];
  addresses.forEach((address, index) => {
    bytes.set(addressBytes(address), 12 + 4 * index);
  });
  bytes.set(packet.chaddr, 28);
  bytes.set(textBytes(packet.sname, 63), area.sname[0]);
  bytes.set(textBytes(packet.file, fileLimit), area.file[0]);
  view.setUint32(236, cookie);
  bytes.set(options, area.options);
  bytes[area.options + options.length] = optionCode.end;
  return bytes;
}

/** Reads the option areas in the order of RFC 2131 §4.1: options, then file, then sname. */
function decodeAreas(bytes: Uint8Array): Pick<DhcpPacket, 'sname' | 'file' | 'options'> {
  const sname = bytes.subarray(...area.sname);
  const file = bytes.subarray(...area.file);
  const first = bytes.subarray(area.options);
  const plain = decodeOptions(first);
  const overload = plain.find((option) => option.code === optionCode.overload)?.value[0] ?? 0;
  const areas = [first, ...(overload & 1 ? [file] : []), ...(overload & 2 ? [sname] : [])];
  return {
    sname: overload & 2 ? '' : textOf(sname),
    file: overload & 1 ? '' : textOf(file),
    options: decodeOptions(...areas).filter((option) => option.code !== optionCode.overload),
  };
}

/** Bytes up to the first NUL as text, one character a byte: names in packets are compared, never interpreted. */
export function textOf(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return String.fromCharCode(...(end < 0 ? bytes : bytes.subarray(0, end)));
}

/** @throws RangeError for text that does not fit */
export function textBytes(text: string, limit = 255): Uint8Array {
  if (text.length > limit) throw new RangeError(`Text of ${text.length} characters in a field of ${limit}`);
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

function invalid(reason: string): Fault {
  return new Fault('DHCP_PACKET_INVALID', `Cannot read the DHCP packet: ${reason}`);
}
