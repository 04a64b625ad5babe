import { readFileSync } from 'node:fs';

export interface Datagram {
  readonly from: { readonly address: string; readonly port: number };
  readonly to: { readonly address: string; readonly port: number };
  readonly bytes: Uint8Array;
}

/** The UDP datagrams of a classic little-endian pcap file of Ethernet frames, in order. */
export function readPcap(name: string): readonly Datagram[] {
  const file = readFileSync(new URL(`${name}.pcap`, import.meta.url));
  if (file.readUInt32LE(0) !== 0xa1b2c3d4) throw new TypeError(`${name} is no little-endian pcap file`);
  const datagrams: Datagram[] = [];
  for (let at = 24; at < file.length; ) {
    const length = file.readUInt32LE(at + 8);
    datagrams.push(readUdp(file.subarray(at + 16 + 14, at + 16 + length)));
    at += 16 + length;
  }
  return datagrams;
}

function readUdp(ip: Buffer): Datagram {
  const header = (ip[0]! & 15) * 4;
  const udp = ip.subarray(header);
  const address = (offset: number) => ip.subarray(offset, offset + 4).join('.');
  return {
    from: { address: address(12), port: udp.readUInt16BE(0) },
    to: { address: address(16), port: udp.readUInt16BE(2) },
    bytes: Uint8Array.from(udp.subarray(8, udp.readUInt16BE(4))),
  };
}
