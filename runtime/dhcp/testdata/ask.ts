import { type Ipv4, parseIpv4 } from '../address.ts';
import { optionCode } from '../options.ts';
import { type DhcpPacket, decodePacket } from '../packet.ts';
import type { Decision } from '../reply.ts';
import { readPcap } from './pcap.ts';

/** The clock of the tests, milliseconds since 1970. */
export const now = 1_000_000;
export const ip: (text: string) => Ipv4 = parseIpv4;
export const from = { address: '0.0.0.0', port: 68 };

/** A packet of a capture, by its number from 0. */
export function captured(name: string, index: number) {
  const datagram = readPcap(name)[index]!;
  const listener = datagram.to.port === 4011 ? ('pxe' as const) : ('dhcp' as const);
  return { packet: decodePacket(datagram.bytes), listener, from: datagram.from };
}

/** The DISCOVER of a Linux node, changed: options given replace those of the packet. */
export function packetWith(fields: Partial<DhcpPacket>, options: Readonly<Record<number, Uint8Array>> = {}): DhcpPacket {
  const { packet } = captured('linux-dhclient', 0);
  const replaced = Object.entries(options).map(([code, value]) => ({ code: Number(code), value }));
  const kept = packet.options.filter(({ code }) => !(code in options));
  return { ...packet, ...fields, options: [...kept, ...replaced] };
}

export const types = { discover: 1, request: 3, decline: 4, release: 7, inform: 8 } as const;

/** A packet of a Linux node of one kind. */
export function ask(kind: keyof typeof types, fields: Partial<DhcpPacket> = {}, options: Record<number, Uint8Array> = {}) {
  const packet = packetWith(fields, { [optionCode.messageType]: Uint8Array.of(types[kind]), ...options });
  return { packet, listener: 'dhcp' as const, from };
}

/** A decision in one line. */
export function summary(decision: Decision) {
  if (decision.kind === 'ignore') return decision.reason;
  return `${decision.answer.kind} ${decision.answer.address ?? '-'} to ${decision.to.address}:${decision.to.port}`;
}
