import { createHash } from 'node:crypto';
import { type InfoHash, parseInfoHash } from '#bundle/digest.ts';
import { Fault } from '#bundle/fault.ts';
import { parseMetainfo } from '#bundle/metainfo.ts';

/** What the origin needs to know to seed one torrent. */
export interface SeedBundle {
  readonly infoHash: InfoHash;
  readonly name: string;
  readonly pieceLengthBytes: number;
  readonly pieceCount: number;
  /** Where the bytes are, in the order of the torrent. */
  readonly files: readonly { readonly path: string; readonly sizeBytes: number }[];
}

/**
 * @param blobPaths where the file of each name in the torrent is
 * @throws Fault `TORRENT_INVALID`, or `TORRENT_MISMATCH` where a file has no path
 */
export function seedBundle(torrent: Uint8Array, blobPaths: ReadonlyMap<string, string>): SeedBundle {
  const { name, pieceLengthBytes, pieceCount, files, infoBytes } = parseMetainfo(torrent);
  return {
    infoHash: parseInfoHash(createHash('sha1').update(infoBytes).digest('hex')),
    name,
    pieceLengthBytes,
    pieceCount,
    files: files.map((file) => {
      const path = blobPaths.get(file.name);
      if (path === undefined) throw new Fault('TORRENT_MISMATCH', `Cannot seed ${name}: no file ${file.name}`);
      return { path, sizeBytes: file.sizeBytes };
    }),
  };
}
