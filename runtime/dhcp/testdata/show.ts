import type { DhcpPacket } from '../packet.ts';

/** A packet as text, every field and option of it: what tests compare. Numbers of options are those of RFC 2132. */
export function show(packet: DhcpPacket): string {
  const { options, chaddr, xid, ...fields } = packet;
  const head = Object.entries({ ...fields, chaddr: hex(chaddr), xid: xid.toString(16) });
  const lines = head.map(([key, value]) => `${key} ${value}`.trimEnd());
  return [...lines, ...options.map(({ code, value }) => `${code}: ${readable(value)}`)].join('\n');
}

function readable(value: Uint8Array): string {
  const text = String.fromCharCode(...value);
  return value.length > 4 && /^[\x20-\x7e]+$/.test(text) ? text : hex(value);
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
