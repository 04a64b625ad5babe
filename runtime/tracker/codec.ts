import { type Bencoded, bytesOf, encodeBencode } from '#bundle/bencode.ts';
import { type InfoHash, parseInfoHash } from '#bundle/digest.ts';
import type { AnnounceReply, AnnounceRequest, PeerAddress } from './announce.ts';

/** What the query string of an announce says (BEP 3, BEP 23). The address in it, if any, is not believed. */
export type AnnounceQuery = Pick<AnnounceRequest, 'port' | 'leftBytes' | 'event' | 'peersWanted'> & {
  readonly infoHash: InfoHash;
  readonly isCompact: boolean;
};

const queryLimit = 2048;
const events = ['started', 'stopped', 'completed'] as const;

/** @param query the raw text behind `?`: the infohash in it is percent-encoded binary. Returns the reason where it is wrong. */
export function parseAnnounceQuery(query: string): AnnounceQuery | string {
  if (query.length > queryLimit) return 'the query is too long';
  const fields = new Map(query.split('&').map(parsePair));
  const infoHash = fields.get('info_hash') ?? '';
  if (infoHash.length !== 20) return 'info_hash must have 20 bytes';
  const port = parseCount(fields.get('port'), 65_535);
  if (port === undefined || port === 0) return 'port must be a number from 1 to 65535';
  const leftBytes = parseCount(fields.get('left'), Number.MAX_SAFE_INTEGER);
  if (leftBytes === undefined) return 'left must be a number';
  const event = events.find((one) => one === fields.get('event'));
  const peersWanted = parseCount(fields.get('numwant'), 10_000);
  return {
    infoHash: parseInfoHash(Array.from(infoHash, (byte) => byte.charCodeAt(0).toString(16).padStart(2, '0')).join('')),
    port,
    leftBytes,
    isCompact: fields.get('compact') !== '0',
    ...(event && { event }),
    ...(peersWanted !== undefined && { peersWanted }),
  };
}

/** The bencoded body. `min interval` is what aria2 goes by. */
export function encodeReply(reply: AnnounceReply, isCompact: boolean): Uint8Array {
  if (reply.kind === 'failure') return encodeBencode(new Map([['failure reason', bytesOf(reply.reason)]]));
  const fields: readonly [string, Bencoded][] = [
    ['complete', reply.completeCount],
    ['incomplete', reply.incompleteCount],
    ['interval', reply.intervalSeconds],
    ['min interval', reply.intervalSeconds],
    ['peers', isCompact ? encodeCompact(reply.peers) : reply.peers.map(encodePeer)],
  ];
  return encodeBencode(new Map(fields));
}

/** Six bytes a peer (BEP 23). */
function encodeCompact(peers: readonly PeerAddress[]): Uint8Array {
  return Uint8Array.from(
    peers.flatMap(({ address, port }) => [...address.split('.').map(Number), port >> 8, port & 0xff]),
  );
}

/** Without `peer id`, which peers of a connection of their own do not need. */
function encodePeer({ address, port }: PeerAddress): Bencoded {
  return new Map<string, Bencoded>([
    ['ip', bytesOf(address)],
    ['port', port],
  ]);
}

function parsePair(pair: string): readonly [string, string] {
  const at = pair.indexOf('=');
  return at < 0 ? [pair, ''] : [pair.slice(0, at), decodePercent(pair.slice(at + 1))];
}

/** One character per byte; unlike decodeURIComponent, which wants UTF-8. */
function decodePercent(text: string): string {
  return text.replace(/%([0-9a-fA-F]{2})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 16)));
}

function parseCount(text: string | undefined, limit: number): number | undefined {
  if (text === undefined || !/^[0-9]{1,16}$/.test(text)) return undefined;
  const value = Number(text);
  return value <= limit ? value : undefined;
}
