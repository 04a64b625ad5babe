import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { type InfoHash, parseInfoHash } from '#bundle/digest.ts';
import { encodeMetainfo, parseMetainfo, pieceLengthFor, type TorrentFile } from '#bundle/metainfo.ts';

/** A file of a torrent and where its bytes are. */
export interface SwarmFile extends TorrentFile {
  readonly path: string;
}

export interface Torrent {
  /** The torrent file, without announce URL and date. */
  readonly bytes: Uint8Array;
  readonly infoHash: InfoHash;
}

/**
 * Makes the torrent of a bundle. The same name and files are the same bytes: files are sorted by name, and the piece
 * length follows from the size.
 */
export async function makeTorrent(name: string, files: readonly SwarmFile[]): Promise<Torrent> {
  const sorted = files.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  const sizeBytes = sorted.reduce((sum, file) => sum + file.sizeBytes, 0);
  const pieceLengthBytes = pieceLengthFor(sizeBytes);
  const pieces = await hashPieces(sorted, pieceLengthBytes);
  const parts = sorted.map(({ name, sizeBytes }) => ({ name, sizeBytes }));
  const bytes = encodeMetainfo({ name, pieceLengthBytes, files: parts, pieces });
  return { bytes, infoHash: infoHashOf(bytes) };
}

/** SHA-1 of a torrent's info dictionary (BEP 3). @throws Fault `TORRENT_INVALID` */
export function infoHashOf(torrent: Uint8Array): InfoHash {
  return parseInfoHash(createHash('sha1').update(parseMetainfo(torrent).infoBytes).digest('hex'));
}

/** SHA-1 of each piece of all files laid end to end. */
async function hashPieces(files: readonly SwarmFile[], pieceLengthBytes: number): Promise<Uint8Array> {
  const hashes: Buffer[] = [];
  let hash = createHash('sha1');
  let missing = pieceLengthBytes;
  for await (const chunk of bytesOf(files)) {
    for (let at = 0; at < chunk.length; ) {
      const part = chunk.subarray(at, at + missing);
      hash.update(part);
      at += part.length;
      missing -= part.length;
      if (missing > 0) continue;
      hashes.push(hash.digest());
      hash = createHash('sha1');
      missing = pieceLengthBytes;
    }
  }
  if (missing < pieceLengthBytes) hashes.push(hash.digest());
  return Buffer.concat(hashes);
}

async function* bytesOf(files: readonly SwarmFile[]): AsyncGenerator<Buffer> {
  for (const file of files) yield* createReadStream(file.path, { highWaterMark: 1024 * 1024 });
}
