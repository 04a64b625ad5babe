import { createHash } from 'node:crypto';
import { type InfoHash, parseInfoHash } from '#bundle/digest.ts';
import { encodeMetainfo, type MetainfoParts, parseMetainfo } from '#bundle/metainfo.ts';

export interface Torrent {
  /** The torrent file, without announce URL and date. */
  readonly bytes: Uint8Array;
  readonly infoHash: InfoHash;
}

/** The torrent of these parts: the same parts are the same bytes. @throws Fault `TORRENT_INVALID` */
export function makeTorrent({ name, pieceLengthBytes, files, pieces }: MetainfoParts): Torrent {
  const bytes = encodeMetainfo({
    ...{ name, pieceLengthBytes, pieces },
    files: files.map(({ name, sizeBytes }) => ({ name, sizeBytes })),
  });
  return { bytes, infoHash: infoHashOf(bytes) };
}

/** SHA-1 of a torrent's info dictionary (BEP 3). @throws Fault `TORRENT_INVALID` */
export function infoHashOf(torrent: Uint8Array): InfoHash {
  return parseInfoHash(createHash('sha1').update(parseMetainfo(torrent).infoBytes).digest('hex'));
}
