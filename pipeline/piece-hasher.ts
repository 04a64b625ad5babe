import { createHash } from 'node:crypto';

/** SHA-1 of each piece of what it is given, end to end. */
export interface PieceHasher {
  update(chunk: Uint8Array): void;
  /** 20 bytes a piece; the last one may be short. */
  digest(): Uint8Array;
}

export function openPieceHasher(pieceLengthBytes: number): PieceHasher {
  const hashes: Buffer[] = [];
  let hash = createHash('sha1');
  let missing = pieceLengthBytes;

  function endPiece(): void {
    hashes.push(hash.digest());
    hash = createHash('sha1');
    missing = pieceLengthBytes;
  }
  return {
    update(chunk) {
      for (let at = 0; at < chunk.length; ) {
        const part = chunk.subarray(at, at + missing);
        hash.update(part);
        at += part.length;
        missing -= part.length;
        if (missing === 0) endPiece();
      }
    },
    digest() {
      if (missing < pieceLengthBytes) endPiece();
      return Buffer.concat(hashes);
    },
  };
}
