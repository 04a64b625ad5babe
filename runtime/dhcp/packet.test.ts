import { createRequire } from 'node:module';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Fault } from '#bundle/fault.ts';
import { addressOf } from './address.ts';
import { findOption, optionCode } from './options.ts';
import { type DhcpPacket, decodePacket, encodePacket } from './packet.ts';
import { readPcap } from './testdata/pcap.ts';

const captures = [
  'bios-rom-virtio',
  'bios-undionly',
  'ovmf-pxe-snponly',
  'ovmf-httpboot',
  'proxydhcp-ovmf-pxe',
  'proxydhcp-bios-ipxe-rom-pxeservice',
  'linux-dhclient',
  'linux-udhcpc',
];

function dhcpOf(capture: string): readonly Uint8Array[] {
  const ports = [67, 68, 4011];
  return readPcap(capture).flatMap(({ to, bytes }) => (ports.includes(to.port) ? [bytes] : []));
}

test.each(captures)('encodePacket() gives the bytes of %s back', (capture) => {
  const packets = dhcpOf(capture);
  expect(packets.length).toBeGreaterThan(3);
  for (const bytes of packets) {
    const encoded = encodePacket(decodePacket(bytes));
    const size = Math.max(bytes.length, encoded.length);
    const padded = (some: Uint8Array) => Buffer.concat([some], size).toString('hex');
    expect(padded(encoded)).toBe(padded(bytes));
  }
});

const address = fc.nat({ max: 0xffffffff }).map(addressOf);
const text = (max: number) => fc.string({ unit: fc.constantFrom(...'abc/:.-0'), maxLength: max });
const option = fc.record({
  code: fc.integer({ min: 1, max: 254 }).filter((code) => code !== optionCode.overload),
  value: fc.uint8Array({ maxLength: 600 }),
});
const packets: fc.Arbitrary<DhcpPacket> = fc.record({
  op: fc.nat({ max: 255 }),
  htype: fc.nat({ max: 255 }),
  hops: fc.nat({ max: 255 }),
  xid: fc.nat({ max: 0xffffffff }),
  secs: fc.nat({ max: 0xffff }),
  flags: fc.nat({ max: 0xffff }),
  ciaddr: address,
  yiaddr: address,
  siaddr: address,
  giaddr: address,
  chaddr: fc.uint8Array({ maxLength: 16 }),
  sname: text(63),
  file: text(127),
  options: fc.uniqueArray(option, { selector: ({ code }) => code, maxLength: 8 }),
});

test('decodePacket() undoes encodePacket(), with option 82 moved to the end', () => {
  fc.assert(
    fc.property(packets, (packet) => {
      const isRelay = ({ code }: { code: number }) => code === optionCode.relayAgent;
      const options = [...packet.options.filter((one) => !isRelay(one)), ...packet.options.filter(isRelay)];
      const bytes = encodePacket(packet);
      expect(bytes.length).toBeGreaterThanOrEqual(300);
      expect(decodePacket(bytes)).toEqual({ ...packet, options });
    }),
    { numRuns: 300 },
  );
});

test('decodePacket() of any bytes returns a packet or throws its Fault', { timeout: 60_000 }, () => {
  const [seed] = dhcpOf('bios-rom-virtio');
  let state = 0x2545f491;
  const random = (below: number) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state % below;
  };
  let refused = 0;
  for (let run = 0; run < 100_000; run += 1) {
    const bytes = Uint8Array.from(seed!).subarray(0, random(20) === 0 ? random(seed!.length) : seed!.length);
    for (let change = random(8); change > 0 && bytes.length > 0; change -= 1) bytes[random(bytes.length)] = random(256);
    try {
      decodePacket(bytes);
    } catch (error) {
      if (!(error instanceof Fault) || error.code !== 'DHCP_PACKET_INVALID') throw error;
      refused += 1;
    }
  }
  expect(refused).toBeGreaterThan(1000);
  expect(refused).toBeLessThan(99_000);
});

/** A packet whose three option areas are given as plain bytes. */
function packetOf(options: readonly number[], file: readonly number[] = [], sname: readonly number[] = []): Uint8Array {
  const bytes = new Uint8Array(240 + options.length);
  bytes.set([1, 1, 6]);
  bytes.set([0x63, 0x82, 0x53, 0x63], 236);
  bytes.set(options, 240);
  bytes.set(file, 108);
  bytes.set(sname, 44);
  return bytes;
}

test('decodePacket() reads overloaded fields in the order options, file, sname', () => {
  const packet = decodePacket(packetOf([52, 1, 3, 67, 1, 65, 255], [67, 1, 66, 255], [67, 1, 67, 255]));
  expect(packet).toMatchObject({ file: '', sname: '', options: [{ code: 67, value: Uint8Array.of(65, 66, 67) }] });
});

test('decodePacket() skips pads and does without an end mark', () => {
  expect(decodePacket(packetOf([0, 0, 53, 1, 1, 0])).options).toEqual([{ code: 53, value: Uint8Array.of(1) }]);
});

test.each([
  ['short', new Uint8Array(239)],
  ['without cookie', new Uint8Array(300)],
  ['an option over the end', packetOf([53, 2, 1])],
  ['an option without length', packetOf([53])],
  ['an overloaded file over the end', packetOf([52, 1, 1, 255], [67, 200])],
  ['a hardware address of 17', packetOf([255]).map((byte, at) => (at === 2 ? 17 : byte))],
])('decodePacket() refuses a packet that is %s', (_, bytes) => {
  expect(() => decodePacket(bytes)).toThrow(expect.objectContaining({ code: 'DHCP_PACKET_INVALID' }));
});

test('encodePacket() splits a value of 600 bytes', () => {
  const [bytes] = dhcpOf('linux-udhcpc');
  const value = Uint8Array.from({ length: 600 }, (_, at) => at % 251);
  const encoded = encodePacket({ ...decodePacket(bytes!), options: [{ code: 43, value }] });
  expect([encoded[241], encoded[240 + 257 + 1], encoded[240 + 514 + 1]]).toEqual([255, 255, 90]);
  expect(findOption(decodePacket(encoded).options, 43)).toEqual(value);
});

interface Foreign {
  readonly parse: (bytes: Buffer) => Record<string, unknown> & { options: Record<number, unknown> };
}

test('decodePacket() agrees with the npm dhcp codec where that one is right', () => {
  const foreign = createRequire(import.meta.url)('dhcp/lib/protocol.js') as Foreign;
  const packets = [...dhcpOf('linux-dhclient'), ...dhcpOf('linux-udhcpc')];
  for (const bytes of packets) {
    const ours = decodePacket(bytes);
    const theirs = foreign.parse(Buffer.from(bytes));
    for (const key of ['op', 'xid', 'secs', 'flags', 'ciaddr', 'yiaddr', 'siaddr', 'giaddr', 'file'] as const) {
      expect(ours[key]).toEqual(theirs[key]);
    }
    expect(findOption(ours.options, optionCode.messageType)?.[0]).toBe(theirs.options[53]);
    expect(findOption(ours.options, optionCode.serverId)?.join('.')).toEqual(theirs.options[54]);
  }
});
