import { addressBytes, broadcastAddress, type Ipv4, subnetEnds, zeroAddress } from './address.ts';
import type { BootFields } from './boot-fields.ts';
import { type DhcpOption, encodeOptions, findOption, optionCode } from './options.ts';
import { broadcastFlag, type DhcpPacket, textBytes } from './packet.ts';
import type { DhcpView } from './view.ts';

export type AnswerKind = 'offer' | 'ack' | 'nak';
const messageTypes = { offer: 2, ack: 5, nak: 6 } as const;

export interface Answer {
  readonly kind: AnswerKind;
  /** The address given; absent in a NAK, to an INFORM, and with proxyDHCP. */
  readonly address?: Ipv4;
  /** Network settings; absent in a NAK and with proxyDHCP. */
  readonly settings?: readonly DhcpOption[];
  readonly boot?: BootFields | undefined;
}

/** Options that give way, in this order, where a node takes only small packets. */
const dispensable = [optionCode.domainName, optionCode.broadcast, optionCode.rebindingTime, optionCode.renewalTime];

/** The packet that answers `packet`. Never holds options that RFC 2131 table 3 forbids; echoes 61, 82 and 97. */
export function answerPacket(packet: DhcpPacket, view: DhcpView, answer: Answer): DhcpPacket {
  const { boot, kind } = answer;
  const isNakByRelay = kind === 'nak' && packet.giaddr !== zeroAddress;
  const options = [
    { code: optionCode.messageType, value: Uint8Array.of(messageTypes[kind]) },
    { code: optionCode.serverId, value: addressBytes(view.subnet.address) },
    ...(answer.settings ?? []),
    ...(boot?.options ?? []),
    ...echoed(packet),
  ];
  return {
    ...packet,
    op: 2,
    hops: 0,
    secs: 0,
    // A relay has to broadcast a NAK: the address that it would send to may be another's (RFC 2131 §4.3.2).
    flags: isNakByRelay ? packet.flags | broadcastFlag : packet.flags,
    ciaddr: kind === 'ack' ? packet.ciaddr : zeroAddress,
    yiaddr: answer.address ?? zeroAddress,
    siaddr: boot?.siaddr ?? zeroAddress,
    sname: '',
    file: boot?.file ?? '',
    options: shorten(options, limitOf(packet)),
  };
}

/** Subnet mask, router, DNS and domain: what an INFORM is answered too. */
export function networkSettings(view: DhcpView): readonly DhcpOption[] {
  const { subnet, router, dns, domain } = view;
  const list = (addresses: readonly Ipv4[]) => Uint8Array.from(addresses.flatMap((one) => [...addressBytes(one)]));
  return [
    { code: optionCode.subnetMask, value: addressBytes(subnet.netmask) },
    { code: optionCode.broadcast, value: addressBytes(subnetEnds(subnet).broadcast) },
    ...(router ? [{ code: optionCode.router, value: addressBytes(router) }] : []),
    ...(dns.length > 0 ? [{ code: optionCode.dns, value: list(dns) }] : []),
    ...(domain ? [{ code: optionCode.domainName, value: textBytes(domain) }] : []),
  ];
}

/** Lease time with the renewal and rebinding times that RFC 2131 §4.4.5 gives as defaults. */
export function leaseSettings(view: DhcpView): readonly DhcpOption[] {
  const seconds = Math.max(1, Math.floor(view.leaseMs / 1000));
  return [
    { code: optionCode.leaseTime, value: uint32(seconds) },
    { code: optionCode.renewalTime, value: uint32(Math.floor(seconds / 2)) },
    { code: optionCode.rebindingTime, value: uint32(Math.floor((seconds * 7) / 8)) },
    ...networkSettings(view),
  ];
}

/**
 * Where an answer goes (RFC 2131 §4.1). A node without an address is answered by broadcast even if it did not ask for
 * that: to send to an address that does not answer ARP yet takes a raw socket, and §4.1 allows the broadcast.
 */
export function destination(packet: DhcpPacket, kind: AnswerKind): { readonly address: Ipv4; readonly port: number } {
  if (packet.giaddr !== zeroAddress) return { address: packet.giaddr, port: 67 };
  if (kind !== 'nak' && packet.ciaddr !== zeroAddress) return { address: packet.ciaddr, port: 68 };
  return { address: broadcastAddress, port: 68 };
}

/** Client id (RFC 6842), machine id (PXE 2.1 wants it back), and what the relay added (RFC 3046 §2.2). */
function echoed(packet: DhcpPacket): readonly DhcpOption[] {
  return [optionCode.nodeId, optionCode.machineId, optionCode.relayAgent].flatMap((code) => {
    const value = findOption(packet.options, code);
    return value ? [{ code, value }] : [];
  });
}

/** Bytes of UDP payload that a node takes: option 57 counts the IP and UDP headers, and at least 576 must do. */
function limitOf(packet: DhcpPacket): number {
  const size = findOption(packet.options, optionCode.maxMessageSize);
  const asked = size ? size[0]! * 256 + size[1]! : 576;
  return Math.max(576, asked) - 28;
}

function shorten(options: readonly DhcpOption[], limitBytes: number): readonly DhcpOption[] {
  let kept = options;
  for (const code of dispensable) {
    if (241 + encodeOptions(kept).length <= limitBytes) return kept;
    kept = kept.filter((option) => option.code !== code);
  }
  return kept;
}

function uint32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value);
  return bytes;
}
