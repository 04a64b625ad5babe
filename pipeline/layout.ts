import { pieceLengthFor, type TorrentFile } from '#bundle/metainfo.ts';

/** A file of a torrent, or zeros between two of them. */
export interface LaidFile extends TorrentFile {
  readonly kind: 'file' | 'pad';
}

export interface Layout {
  readonly pieceLengthBytes: number;
  /** In the order of the torrent. */
  readonly files: readonly LaidFile[];
}

/**
 * How files lie in a torrent. Those of at least one piece come first, sorted by name, each at the beginning of a piece,
 * with zeros before the next: an unchanged file has the same pieces, whatever becomes of the others. Smaller ones follow end to end.
 */
export function layOut(files: readonly TorrentFile[]): Layout {
  const sizeBytes = files.reduce((sum, file) => sum + file.sizeBytes, 0);
  const pieceLengthBytes = pieceLengthFor(sizeBytes);
  const sorted = files.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  const large = sorted.filter((file) => file.sizeBytes >= pieceLengthBytes);
  const small = sorted.filter((file) => file.sizeBytes < pieceLengthBytes);
  const laid: LaidFile[] = [];
  for (const [index, file] of large.entries()) {
    laid.push({ ...named(file), kind: 'file' });
    const padBytes = -file.sizeBytes & (pieceLengthBytes - 1);
    const isLast = index === files.length - 1;
    if (padBytes > 0 && !isLast) laid.push({ name: padName(index), sizeBytes: padBytes, kind: 'pad' });
  }
  return { pieceLengthBytes, files: [...laid, ...small.map((file) => ({ ...named(file), kind: 'file' as const }))] };
}

function named({ name, sizeBytes }: TorrentFile): TorrentFile {
  return { name, sizeBytes };
}

/** A name that no image would give to a file. */
function padName(index: number): string {
  return `zeros-after-${index}.pad`;
}
