import bencode from 'bencode';
import { expect, test } from 'vitest';
import { parseInfoHash, parseSessionId } from '#bundle/digest.ts';
import type { BootEvent } from '../boot/event.ts';
import { createTracker } from './http.ts';

const infoHash = parseInfoHash('00112233445566778899aabbccddeeff01256b41');
const encodedHash = '%00%11%223DUfw%88%99%AA%bb%cc%dd%ee%ff%01%25kA';
const session = parseSessionId('0'.repeat(31).concat('1'));
const usual = `info_hash=${encodedHash}&peer_id=-aria2-000000000000&port=6881&uploaded=0&downloaded=0&left=10&compact=1`;

function open() {
  const events: BootEvent[] = [];
  const tracker = createTracker({
    origin: () => ({ address: '10.20.0.1', port: 6881 }),
    admits: (one, address) => one === session || address === '10.20.0.12',
    emit: (event) => events.push(event),
    random: () => 0,
  });
  tracker.register(infoHash);
  const call = (query: string, about: { session?: string; remoteAddress?: string } = {}) => {
    const { remoteAddress = '10.20.0.11', session: other } = about;
    const one = { query, remoteAddress, session: other ? parseSessionId(other) : session, nowMs: 1000 };
    return tracker.handleAnnounce(one);
  };
  return { tracker, events, call };
}

function failureOf(body: Buffer): string {
  return Buffer.from(bencode.decode(body)['failure reason'] as Uint8Array).toString();
}

test('handleAnnounce() answers in the compact form', () => {
  const { call } = open();
  expect(call(usual).toString('latin1')).toBe(
    'd8:completei1e10:incompletei1e8:intervali2e12:min intervali2e5:peers6:\x0a\x14\x00\x01\x1a\xe1e',
  );
});

test('handleAnnounce() answers with a list of dictionaries where compact is 0', () => {
  const { call } = open();
  expect(call(usual.replace('compact=1', 'compact=0')).toString('latin1')).toContain(
    '5:peersld2:ip9:10.20.0.14:porti6881eee',
  );
});

test('handleAnnounce() tells what it saw', () => {
  const { call, events } = open();
  call(usual);
  expect(events).toEqual([{ kind: 'announce', atMs: 1000, session, address: '10.20.0.11', infoHash, leftBytes: 10 }]);
});

test('handleAnnounce() takes the address of the connection, whatever the query says', () => {
  const { tracker, call } = open();
  call(`${usual}&ip=10.9.9.9&ipv4=10.9.9.9`, { remoteAddress: '::ffff:10.20.0.11' });
  expect(tracker.peersOf(infoHash)).toMatchObject([{ address: '10.20.0.11', port: 6881 }]);
});

test('handleAnnounce() forgets nothing of what is registered a second time, and knows nothing after unregister()', () => {
  const { tracker, call } = open();
  call(usual);
  tracker.register(infoHash);
  expect(tracker.peersOf(infoHash)).toHaveLength(1);
  tracker.unregister(infoHash);
  expect(failureOf(call(usual))).toBe('no such torrent here');
});

test.each([
  ['another torrent', usual.replace('%00%11', '%01%11'), {}, 'no such torrent here'],
  ['a session that is not live', usual, { session: 'f'.repeat(32) }, 'no such boot session'],
  ['an address of IPv6', usual, { remoteAddress: 'fe80::1' }, 'no such boot session'],
  ['port 0', usual.replace('port=6881', 'port=0'), {}, 'port must be a number from 1 to 65535'],
  ['port 65536', usual.replace('port=6881', 'port=65536'), {}, 'port must be a number from 1 to 65535'],
  ['no left', usual.replace('left=10', 'left=-1'), {}, 'left must be a number'],
  ['a short infohash', 'info_hash=abc&port=1&left=1', {}, 'info_hash must have 20 bytes'],
  ['an endless query', 'a'.repeat(3000), {}, 'the query is too long'],
  ['nothing', '', {}, 'info_hash must have 20 bytes'],
])('handleAnnounce() refuses %s', (_, query, about, reason) => {
  const { call, events } = open();
  expect(failureOf(call(query, about))).toBe(reason);
  expect(events).toEqual([]);
});
