import { expect, test } from 'vitest';
import { broadcastAddress, type Ipv4 } from './address.ts';
import { applyLease, type LeaseState, openLeaseTable } from './lease.ts';
import { optionCode } from './options.ts';
import { broadcastFlag, decodePacket } from './packet.ts';
import { reply } from './reply.ts';
import { ask, captured, ip, now, summary } from './testdata/ask.ts';
import { readPcap } from './testdata/pcap.ts';
import { show } from './testdata/show.ts';
import { view } from './testdata/view.ts';

const mac = '52:54:00:77:00:33';
const server = Uint8Array.of(10, 77, 0, 1);

function leased(address: string, over: { state?: LeaseState; mac?: string; expiresAtMs?: number } = {}) {
  const lease = { mac, address: ip(address), state: 'bound', expiresAtMs: now + 5000, ...over } as never;
  return openLeaseTable([{ kind: 'set', lease }]);
}

test('reply() offers a BIOS iPXE its script', () => {
  const decision = reply(captured('bios-rom-virtio', 0), view, openLeaseTable(), now);
  expect(decision).toMatchObject({ kind: 'reply', to: { address: '255.255.255.255', port: 68 } });
  expect(decision.kind === 'reply' && show(decision.packet)).toBe(`op 2
htype 1
hops 0
secs 0
flags 0
ciaddr 0.0.0.0
yiaddr 10.77.0.122
siaddr 10.77.0.1
giaddr 0.0.0.0
sname
file http://10.77.0.1:8480/boot/52-54-00-77-00-10/bios.ipxe
chaddr 525400770010
xid 6df5d54d
53: 02
54: 0a4d0001
51: 00000e10
58: 00000708
59: 00000c4e
1: ffffff00
28: 0a4d00ff
3: 0a4d00fe
6: 0a4d000109090909
15: lab.test
175: b00101
61: 01525400770010
97: 0000000000000000000000000000000000`);
});

test('reply() offers UEFI firmware the NBP, to be loaded without a menu', () => {
  const decision = reply(captured('ovmf-pxe-snponly', 2), view, openLeaseTable(), now);
  expect(decision.kind === 'reply' && show(decision.packet)).toBe(`op 2
htype 1
hops 0
secs 0
flags 32768
ciaddr 0.0.0.0
yiaddr 10.77.0.141
siaddr 10.77.0.1
giaddr 0.0.0.0
sname
file snponly.efi
chaddr 525400770011
xid ac915350
53: 02
54: 0a4d0001
51: 00000e10
58: 00000708
59: 00000c4e
1: ffffff00
28: 0a4d00ff
3: 0a4d00fe
6: 0a4d000109090909
15: lab.test
60: PXEClient
43: 060108ff
97: 0000000000000000000000000000000000`);
});

test('reply() gives UEFI HTTP boot a URL and the class it insists on', () => {
  const decision = reply(captured('ovmf-httpboot', 0), view, openLeaseTable(), now);
  const url = `http://10.77.0.1:8480/blob/${'a'.repeat(64)}/snponly.efi`;
  expect(decision).toMatchObject({ packet: { file: url, siaddr: '0.0.0.0' } });
  expect(decision.kind === 'reply' && show(decision.packet)).toContain(`60: HTTPClient\n67: ${url}`);
});

test('reply() gives iPXE after UEFI HTTP boot its script', () => {
  const decision = reply(captured('ovmf-httpboot', 4), view, openLeaseTable(), now);
  expect(decision).toMatchObject({ packet: { file: 'http://10.77.0.1:8480/boot/52-54-00-77-00-12/uefi-x64.ipxe' } });
});

test('reply() gives Linux a plain lease', () => {
  const decision = reply(captured('linux-dhclient', 0), view, openLeaseTable(), now);
  expect(decision.kind === 'reply' && show(decision.packet)).toBe(`op 2
htype 1
hops 0
secs 0
flags 0
ciaddr 0.0.0.0
yiaddr 10.77.0.129
siaddr 0.0.0.0
giaddr 0.0.0.0
sname
file
chaddr 525400770033
xid 39d27700
53: 02
54: 0a4d0001
51: 00000e10
58: 00000708
59: 00000c4e
1: ffffff00
28: 0a4d00ff
3: 0a4d00fe
6: 0a4d000109090909
15: lab.test`);
});

test('reply() gives firmware, iPXE and the operating system of one MAC one address', () => {
  const table = openLeaseTable();
  const chaddr = Uint8Array.of(0x52, 0x54, 0, 0x77, 0, 0x11);
  const addresses = [
    captured('ovmf-pxe-snponly', 2),
    captured('ovmf-pxe-snponly', 12),
    ask('discover', { chaddr }),
  ].map((received) => {
    const decision = reply(received, view, table, now);
    if (decision.change) applyLease(table, decision.change);
    return decision.kind === 'reply' ? decision.answer.address : decision.reason;
  });
  expect(addresses).toEqual(['10.77.0.141', '10.77.0.141', '10.77.0.141']);
});

const requested = (address: string) => ({ [optionCode.requestedAddress]: Uint8Array.from(address.split('.'), Number) });
const selecting = (address: string, id = server) => ({ ...requested(address), [optionCode.serverId]: id });
const other = Uint8Array.of(10, 77, 0, 2);

test.each([
  [
    'SELECTING our offer',
    {},
    selecting('10.77.0.129'),
    leased('10.77.0.129', { state: 'offered' }),
    'ack 10.77.0.129 to 255.255.255.255:68',
  ],
  [
    'SELECTING an address of another node',
    {},
    selecting('10.77.0.130'),
    leased('10.77.0.130', { mac: '52:54:00:77:00:99' }),
    'nak - to 255.255.255.255:68',
  ],
  ['SELECTING out of the range', {}, selecting('10.77.0.20'), openLeaseTable(), 'nak - to 255.255.255.255:68'],
  ['SELECTING another server', {}, selecting('10.77.0.129', other), leased('10.77.0.129'), 'another server was chosen'],
  [
    'INIT-REBOOT with the right address',
    {},
    requested('10.77.0.129'),
    leased('10.77.0.129'),
    'ack 10.77.0.129 to 255.255.255.255:68',
  ],
  [
    'INIT-REBOOT with a wrong address',
    {},
    requested('10.77.0.131'),
    leased('10.77.0.129'),
    'nak - to 255.255.255.255:68',
  ],
  [
    'INIT-REBOOT of an unknown node',
    {},
    requested('10.77.0.129'),
    openLeaseTable(),
    'an address that is not ours to judge',
  ],
  ['INIT-REBOOT from another network', {}, requested('192.168.1.5'), openLeaseTable(), 'nak - to 255.255.255.255:68'],
  ['RENEWING', { ciaddr: ip('10.77.0.129') }, {}, leased('10.77.0.129'), 'ack 10.77.0.129 to 10.77.0.129:68'],
  [
    'RENEWING out of a range that was moved',
    { ciaddr: ip('10.77.0.20') },
    {},
    leased('10.77.0.20'),
    'ack 10.77.0.20 to 10.77.0.20:68',
  ],
  [
    'RENEWING after the leases were lost',
    { ciaddr: ip('10.77.0.129') },
    {},
    openLeaseTable(),
    'ack 10.77.0.129 to 10.77.0.129:68',
  ],
  [
    'RENEWING an address of another node',
    { ciaddr: ip('10.77.0.130') },
    {},
    leased('10.77.0.130', { mac: '52:54:00:77:00:99' }),
    'nak - to 255.255.255.255:68',
  ],
  [
    'RENEWING a foreign address',
    { ciaddr: ip('10.77.0.20') },
    {},
    openLeaseTable(),
    'an address that is not ours to judge',
  ],
  ['neither address', {}, {}, openLeaseTable(), 'nothing to answer'],
] as const)('reply() to a REQUEST: %s', (_, fields, options, leases, wanted) => {
  expect(summary(reply(ask('request', fields, options), view, leases, now))).toBe(wanted);
});

test('reply() frees its offer when another server was chosen, but keeps a lease', () => {
  const request = ask('request', {}, selecting('10.77.0.129', other));
  expect(reply(request, view, leased('10.77.0.129', { state: 'offered' }), now).change).toEqual({ kind: 'drop', mac });
  expect(reply(request, view, leased('10.77.0.129'), now).change).toBeUndefined();
});

test('reply() binds an acknowledged address for the lease time', () => {
  const decision = reply(ask('request', {}, selecting('10.77.0.129')), view, openLeaseTable(), now);
  const lease = { mac, address: '10.77.0.129', state: 'bound', expiresAtMs: now + 3_600_000 };
  expect(decision.change).toEqual({ kind: 'set', lease });
});

test('reply() answers an INFORM without address and lease time', () => {
  const decision = reply(ask('inform', { ciaddr: ip('10.77.0.50') }), view, openLeaseTable(), now);
  expect(summary(decision)).toBe('ack - to 10.77.0.50:68');
  const codes = decision.kind === 'reply' ? decision.packet.options.map(({ code }) => code) : [];
  expect(codes).toEqual([53, 54, 1, 28, 3, 6, 15]);
});

test('reply() notes a DECLINE of an address that it gave, and no other', () => {
  const declined = { mac, address: '10.77.0.129', state: 'declined', expiresAtMs: now + 600_000 };
  const decision = reply(ask('decline', {}, selecting('10.77.0.129')), view, leased('10.77.0.129'), now);
  expect(decision.change).toEqual({ kind: 'set', lease: declined });
  expect(reply(ask('decline', {}, selecting('10.77.0.130')), view, leased('10.77.0.129'), now).change).toBeUndefined();
});

test('reply() keeps the record of a released address', () => {
  const decision = reply(ask('release', { ciaddr: ip('10.77.0.129') }), view, leased('10.77.0.129'), now);
  expect(decision.change).toMatchObject({ lease: { address: '10.77.0.129', state: 'released', expiresAtMs: now } });
});

test('reply() stays silent when no address is free', () => {
  const full = { ...view, range: { first: view.range!.first, last: view.range!.first } };
  const leases = leased('10.77.0.100', { mac: '52:54:00:77:00:99' });
  expect(summary(reply(ask('discover'), full, leases, now))).toBe('no address is free');
});

test.each([
  ['with a relay', { giaddr: ip('10.77.0.9') }, 'offer 10.77.0.129 to 10.77.0.9:67'],
  ['with a relay of another subnet', { giaddr: ip('10.78.0.9') }, 'a relay of another subnet'],
  ['with the broadcast flag', { flags: broadcastFlag }, 'offer 10.77.0.129 to 255.255.255.255:68'],
] as const)('reply() to a DISCOVER %s', (_, fields, wanted) => {
  expect(summary(reply(ask('discover', fields), view, openLeaseTable(), now))).toBe(wanted);
});

test('reply() sends a NAK to a relay with the broadcast flag', () => {
  const request = ask('request', { giaddr: ip('10.77.0.9') }, requested('192.168.1.5'));
  const decision = reply(request, view, openLeaseTable(), now);
  expect(summary(decision)).toBe('nak - to 10.77.0.9:67');
  expect(decision).toMatchObject({ packet: { flags: broadcastFlag, yiaddr: '0.0.0.0', ciaddr: '0.0.0.0' } });
});

test('reply() echoes option 82 whole and shortens itself for a node that takes 576 bytes', () => {
  const relay = Uint8Array.from({ length: 250 }, (_, at) => at);
  const decision = reply(
    ask('discover', {}, { 82: relay }),
    { ...view, domain: 'x'.repeat(60) },
    openLeaseTable(),
    now,
  );
  const options = decision.kind === 'reply' ? decision.packet.options : [];
  expect(options.at(-1)).toEqual({ code: 82, value: relay });
  expect(options.map(({ code }) => code)).not.toContain(optionCode.domainName);
  expect(options.map(({ code }) => code)).toContain(optionCode.leaseTime);
});

test('reply() never carries what RFC 2131 table 3 forbids in an answer', () => {
  const forbidden: readonly number[] = [
    optionCode.requestedAddress,
    optionCode.parameterList,
    optionCode.maxMessageSize,
  ];
  let answers = 0;
  for (const name of ['bios-rom-virtio', 'bios-undionly', 'ovmf-pxe-snponly', 'ovmf-httpboot', 'linux-udhcpc']) {
    const table = openLeaseTable();
    for (const datagram of readPcap(name).filter((one) => one.to.port === 67)) {
      const packet = decodePacket(datagram.bytes);
      const decision = reply({ packet, listener: 'dhcp', from: datagram.from }, { ...view }, table, now);
      if (decision.kind === 'ignore') continue;
      answers += 1;
      const codes = decision.packet.options.map(({ code }) => code);
      expect(codes.filter((code) => forbidden.includes(code))).toEqual([]);
      expect(new Set(codes).size).toBe(codes.length);
      expect([decision.packet.xid, decision.to.address as Ipv4]).toEqual([packet.xid, broadcastAddress]);
    }
  }
  expect(answers).toBeGreaterThan(12);
});
