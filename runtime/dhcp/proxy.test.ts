import { expect, test } from 'vitest';
import { zeroAddress } from './address.ts';
import { openLeaseTable } from './lease.ts';
import { optionCode } from './options.ts';
import { textBytes } from './packet.ts';
import { reply } from './reply.ts';
import { ask, captured, ip, now, summary, types } from './testdata/ask.ts';
import { readPcap } from './testdata/pcap.ts';
import { show } from './testdata/show.ts';
import { view } from './testdata/view.ts';

const proxy = { ...view, mode: 'proxy' } as const;

test('reply() as proxyDHCP offers firmware siaddr and file, and no address', () => {
  const decision = reply(captured('proxydhcp-ovmf-pxe', 0), proxy, openLeaseTable(), now);
  expect(decision.change).toBeUndefined();
  expect(decision.kind === 'reply' && show(decision.packet)).toBe(`op 2
htype 1
hops 0
secs 0
flags 32768
ciaddr 0.0.0.0
yiaddr 0.0.0.0
siaddr 10.77.0.1
giaddr 0.0.0.0
sname
file snponly.efi
chaddr 525400770011
xid bad78311
53: 02
54: 0a4d0001
60: PXEClient
43: 060108ff
97: 0000000000000000000000000000000000`);
});

test('reply() as proxyDHCP offers iPXE its script without option 43', () => {
  const decision = reply(captured('proxydhcp-bios-ipxe-rom-pxeservice', 0), proxy, openLeaseTable(), now);
  const file = 'http://10.77.0.1:8480/boot/52-54-00-77-00-10/bios.ipxe';
  expect(decision).toMatchObject({ packet: { file, siaddr: '10.77.0.1', yiaddr: '0.0.0.0' } });
  const codes = decision.kind === 'reply' ? decision.packet.options.map(({ code }) => code) : [];
  expect(codes).toEqual([53, 54, 60, 61, 97]);
});

test.each(['proxydhcp-ovmf-pxe', 'proxydhcp-bios-ipxe-rom'])('reply() answers %s on port 4011', (name) => {
  const datagrams = readPcap(name);
  const received = captured(
    name,
    datagrams.findIndex((one) => one.to.port === 4011),
  );
  const decision = reply(received, proxy, openLeaseTable(), now);
  expect(summary(decision)).toBe(`ack - to ${received.from.address}:${received.from.port}`);
  expect(decision).toMatchObject({ packet: { siaddr: '10.77.0.1', ciaddr: received.packet.ciaddr } });
});

test('reply() on port 4011 is silent about a boot server type that it is not', () => {
  const received = captured('proxydhcp-bios-ipxe-rom-pxeservice', 5);
  expect(summary(reply(received, proxy, openLeaseTable(), now))).toBe('a question to another server');
});

test('reply() as proxyDHCP never answers who does not boot over the network', () => {
  const classes = [undefined, '', 'MSFT 5.0', 'pxeclient', 'xPXEClient', 'PXEClientX', 'android-dhcp-13', 'udhcp 1.35'];
  // What only network boot sends, sent by others: the vendor class alone decides.
  const disguises = [
    {},
    { [optionCode.architecture]: Uint8Array.of(0, 0) },
    { [optionCode.userClass]: textBytes('iPXE') },
  ];
  let asked = 0;
  for (const vendorClass of classes) {
    for (const kind of Object.keys(types) as (keyof typeof types)[]) {
      for (const disguise of disguises) {
        const options = {
          ...disguise,
          ...(vendorClass !== undefined && { [optionCode.vendorClass]: textBytes(vendorClass) }),
        };
        const fields = { ciaddr: kind === 'discover' ? zeroAddress : ip('10.77.0.50') };
        const received = { ...ask(kind, fields, options), from: { address: '10.77.0.50', port: 68 } };
        for (const listener of ['dhcp', 'pxe'] as const) {
          const decision = reply({ ...received, listener }, proxy, openLeaseTable(), now);
          expect(decision).toMatchObject({ kind: 'ignore', reason: 'not a network boot' });
          asked += 1;
        }
      }
    }
  }
  expect(asked).toBe(240);
});

test('reply() is silent when it is switched off, and to firmware without an NBP under proxyDHCP', () => {
  const off = { ...view, mode: 'off' } as const;
  expect(summary(reply(captured('linux-dhclient', 0), off, openLeaseTable(), now))).toBe('switched off');
  const received = captured('proxydhcp-ovmf-pxe', 0);
  const architecture = { code: optionCode.architecture, value: Uint8Array.of(0, 27) };
  const options = [...received.packet.options.filter(({ code }) => code !== optionCode.architecture), architecture];
  const decision = reply({ ...received, packet: { ...received.packet, options } }, proxy, openLeaseTable(), now);
  expect(summary(decision)).toBe('no boot program for this firmware');
});
