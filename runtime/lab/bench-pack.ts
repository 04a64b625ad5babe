import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { mkdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { pieceLengthFor } from '#bundle/metainfo.ts';
import { packBundle } from '#pipeline/pack.ts';
import { runProgram } from '#pipeline/source/program.ts';
import { makeSquashfs } from '#pipeline/source/squashfs.ts';
import { openToolRoot } from '#pipeline/source/tool-root.ts';
import { openStore } from '#store/local.ts';

/** Seconds of each step, ours and by hand. */
export interface PackTimes {
  readonly ours: { readonly squashfs: number; readonly bundle: number };
  readonly byHand: { readonly squashfs: number; readonly torrent: number };
  readonly squashfsBytes: number;
  /** Bytes that making the bundle read, in sizes of the squashfs. */
  readonly readRatio: number;
}

/** A tree of `sizeBytes` is packed, hashed and gets a torrent: by us, and by mksquashfs and mktorrent. */
export async function measurePacking(directory: string, sizeBytes: number, cachePath: string): Promise<PackTimes> {
  const tree = join(directory, 'tree');
  await makeTree(tree, sizeBytes);
  const toolRoot = await openToolRoot({ cachePath });
  const store = await openStore(join(directory, 'store'));
  const own = join(await store.workDirectory(), 'rootfs.squashfs');
  const hand = join(directory, 'by-hand.squashfs');
  const options = ['-comp', 'zstd', '-Xcompression-level', '9', '-b', '262144', '-noappend', '-no-progress', '-quiet'];
  const pack = () => seconds(() => makeSquashfs(toolRoot, tree, own));
  const packByHand = () => seconds(() => runProgram(['mksquashfs', tree, hand, ...options]));
  // Twice each, in both orders, and the better of both: other work on the machine weighs less.
  const [first, handFirst, handSecond, second] = [await pack(), await packByHand(), await packByHand(), await pack()];
  const ours = { squashfs: Math.min(first, second), bundle: 0 };
  const squashfs = Math.min(handFirst, handSecond);
  const squashfsBytes = (await stat(own)).size;
  const pieceExponent = String(Math.log2(pieceLengthFor((await stat(hand)).size)));
  const torrent = await seconds(() => runProgram(['mktorrent', '-l', pieceExponent, '-o', `${hand}.torrent`, hand]));
  const files = [{ name: 'rootfs.squashfs', role: 'rootfs', path: own }] as const;
  const about = { kind: 'image', name: 'bench', arch: 'amd64', method: 'switch-root', files } as const;
  const before = await readBytes();
  ours.bundle = await seconds(() => packBundle(store, about));
  const readRatio = ((await readBytes()) - before) / squashfsBytes;
  await rm(tree, { recursive: true });
  return { ours, byHand: { squashfs, torrent }, squashfsBytes, readRatio };
}

export async function seconds(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return (performance.now() - start) / 1000;
}

/** All that this process has read so far, from files in memory too. */
async function readBytes(): Promise<number> {
  return Number(/^rchar: (\d+)/m.exec(await readFile('/proc/self/io', 'utf8'))?.[1]);
}

const chunkBytes = 1024 * 1024;

/** Files of 16 MiB, every other one of bytes that do not compress; the same each time. */
async function makeTree(path: string, sizeBytes: number): Promise<void> {
  await mkdir(path, { recursive: true });
  const fileBytes = 16 * chunkBytes;
  for (let index = 0; index * fileBytes < sizeBytes; index++) {
    await pipeline(Readable.from(chunksOf(index, fileBytes)), createWriteStream(join(path, `file-${index}`)));
  }
}

function* chunksOf(index: number, sizeBytes: number): Generator<Buffer> {
  for (let at = 0; at < sizeBytes; at += chunkBytes) {
    const bytes = createHash('shake256', { outputLength: index % 2 ? chunkBytes : chunkBytes / paragraphBytes })
      .update(`${index} ${at}`)
      .digest();
    yield index % 2 ? bytes : Buffer.concat([...bytes].map((choice) => paragraphs[choice] as Buffer));
  }
}

const paragraphBytes = 4096;
/** Of 1,024 words that are chosen by chance: compresses to about a third, as programs and texts do. */
const paragraphs: readonly Buffer[] = Array.from({ length: 256 }, (_, paragraph) => {
  const choices = createHash('shake256', { outputLength: 2 * paragraphBytes })
    .update(`paragraph ${paragraph}`)
    .digest();
  const words = Array.from({ length: paragraphBytes }, (_, at) => (choices.readUInt16LE(2 * at) % 1024) * 7919);
  return Buffer.from(words.map((word) => word.toString(36)).join(' ')).subarray(0, paragraphBytes);
});
