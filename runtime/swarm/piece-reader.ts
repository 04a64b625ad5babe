import { type FileHandle, open } from 'node:fs/promises';
import { Fault } from '#bundle/fault.ts';
import { createBufferPool } from './buffer-pool.ts';
import type { SeedBundle } from './seed-bundle.ts';
import type { Block } from './wire.ts';

/** Reads blocks of a bundle. Blocks next to each other cost one read of the disk, whoever asks for them. */
export interface PieceReader {
  /** Bytes of a piece: the last one is shorter. */
  pieceSizeBytes(piece: number): number;
  /** Copies a block to `target` at `at`. @throws Fault `SEED_FILE_CHANGED` where a file is shorter than it was */
  readInto(target: Uint8Array, at: number, block: Block): Promise<void>;
  close(): Promise<void>;
}

/** Read at once; no block of 16 KiB lies in two chunks, unless its peer cuts blocks oddly. */
const chunkBytes = 256 * 1024;
/** Per bundle, 8 MiB: peers in a window work on few pieces at a time. */
const chunkLimit = 32;

const pool = createBufferPool(chunkBytes, 2 * chunkLimit);

interface Range {
  readonly start: number;
  readonly end: number;
}

/** Bytes of one range, for as long as somebody copies from them or they are remembered. */
interface Chunk {
  readonly buffer: Buffer;
  readonly isRead: Promise<void>;
  userCount: number;
  isForgotten: boolean;
}

/** @throws Fault `SEED_FILE_CHANGED` where a file is not there or has another size */
export async function openPieceReader(bundle: SeedBundle): Promise<PieceReader> {
  const files = await openFiles(bundle);
  const sizeBytes = bundle.files.reduce((total, file) => total + file.sizeBytes, 0);
  const chunks = new Map<number, Chunk>();

  function forget(index: number): void {
    const chunk = chunks.get(index);
    if (!chunk) return;
    chunks.delete(index);
    chunk.isForgotten = true;
    if (chunk.userCount === 0) pool.give(chunk.buffer);
  }
  function chunkAt(index: number): Chunk {
    const known = chunks.get(index);
    const chunk =
      known ?? readAhead(files, { start: index * chunkBytes, end: Math.min(sizeBytes, (index + 1) * chunkBytes) });
    // A Map keeps the order of insertion: the first is the one that was not used for the longest time.
    chunks.delete(index);
    chunks.set(index, chunk);
    if (chunks.size > chunkLimit) forget(chunks.keys().next().value as number);
    return chunk;
  }
  async function copyFrom(index: number, copy: (bytes: Uint8Array) => void): Promise<void> {
    const chunk = chunkAt(index);
    chunk.userCount++;
    try {
      await chunk.isRead;
      copy(chunk.buffer);
    } catch (error) {
      if (chunks.get(index) === chunk) forget(index);
      throw error;
    } finally {
      chunk.userCount--;
      if (chunk.isForgotten && chunk.userCount === 0) pool.give(chunk.buffer);
    }
  }

  return {
    pieceSizeBytes: (piece) => Math.min(bundle.pieceLengthBytes, sizeBytes - piece * bundle.pieceLengthBytes),
    async readInto(target, at, block) {
      const start = block.piece * bundle.pieceLengthBytes + block.offsetBytes;
      for (let done = 0; done < block.sizeBytes; ) {
        const from = (start + done) % chunkBytes;
        const to = Math.min(chunkBytes, from + block.sizeBytes - done);
        const into = at + done;
        await copyFrom(Math.floor((start + done) / chunkBytes), (bytes) => target.set(bytes.subarray(from, to), into));
        done += to - from;
      }
    },
    async close() {
      await Promise.allSettled([...chunks.values()].map((chunk) => chunk.isRead));
      await Promise.all(files.map(({ handle }) => handle.close()));
    },
  };
}

interface OpenFile {
  readonly handle: FileHandle;
  readonly path: string;
  /** First and last byte (exclusive) in the torrent. */
  readonly start: number;
  readonly end: number;
}

async function openFiles(bundle: SeedBundle): Promise<readonly OpenFile[]> {
  const files: OpenFile[] = [];
  let start = 0;
  try {
    for (const { path, sizeBytes } of bundle.files) {
      const handle = await open(path, 'r');
      files.push({ handle, path, start, end: start + sizeBytes });
      start += sizeBytes;
      if ((await handle.stat()).size !== sizeBytes) throw changed(path);
    }
    return files;
  } catch (cause) {
    await Promise.all(files.map(({ handle }) => handle.close()));
    throw cause instanceof Fault ? cause : changed(bundle.name, cause);
  }
}

function readAhead(files: readonly OpenFile[], range: Range): Chunk {
  const buffer = pool.take();
  const isRead = readRange(files, range, buffer);
  // Whoever copies from it is told; here nobody waits.
  isRead.catch(() => {});
  return { buffer, isRead, userCount: 0, isForgotten: false };
}

async function readRange(files: readonly OpenFile[], range: Range, buffer: Buffer): Promise<void> {
  for (const file of files) {
    const from = Math.max(range.start, file.start);
    const to = Math.min(range.end, file.end);
    for (let at = from; at < to; ) {
      const { bytesRead } = await file.handle.read(buffer, at - range.start, to - at, at - file.start);
      if (bytesRead === 0) throw changed(file.path);
      at += bytesRead;
    }
  }
}

function changed(path: string, cause?: unknown): Fault {
  return new Fault('SEED_FILE_CHANGED', `Cannot seed ${path}: the file is not as it was published`, {
    hint: 'Publish the revision again: it restores what is missing in the store',
    cause,
  });
}
