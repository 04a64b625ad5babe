import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { PassThrough, Transform, type TransformCallback } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip, createZstdDecompress } from 'node:zlib';
import { extract } from 'tar-stream';
import { type Digest, parseDigest } from '#bundle/digest.ts';
import { Fault } from '#bundle/fault.ts';
import { type AptOptions, common } from './apt-directory.ts';
import { runInTree } from './in-tree.ts';
import { type LayerEntry, type LayerPlan, planEntry, type TreeIndex } from './layer.ts';
import type { ToolRoot } from './tool-root.ts';

export interface ArchiveOptions extends Pick<AptOptions, 'log' | 'signal'> {
  readonly compression: 'none' | 'gzip' | 'zstd';
  /** Of the tar inside. */
  readonly expected?: Digest;
  /** What the tree has so far; what the archive brings is added. */
  readonly index: TreeIndex;
  readonly toolRoot: ToolRoot;
  /** With the tree as `root` in it. */
  readonly workPath: string;
}

/** Of one archive: more than any root filesystem that fits into a node's RAM. */
const limits = { bytes: 64 * 1024 ** 3, entries: 2_000_000, freeBytes: 256 * 1024 ** 2, ratio: 200 } as const;

/** Arguments of one call: far below what the kernel takes (execve(2): 2 MiB), each up to 4 KiB. */
const atOnce = 200;

/**
 * Unpacks one archive over a tree: what it replaces or strikes out is removed first. Device nodes are left out by
 * {@link finishArchives}. No name in it leads out of the tree, and no link does.
 * @returns the date of its newest entry, seconds since 1970
 * @throws Fault `ARCHIVE_INVALID`, `ARCHIVE_TOO_LARGE`, `ARCHIVE_PATH_UNSAFE`, `ARCHIVE_DIGEST_MISMATCH`
 */
export async function applyArchive(path: string, options: ArchiveOptions): Promise<{ readonly epoch: number }> {
  const { workPath, toolRoot } = options;
  const tarName = 'layer.tar';
  const { plan, epoch } = await readArchive(path, join(workPath, tarName), options);
  const failure = { code: 'ARCHIVE_INVALID', message: 'Cannot unpack the archive' };
  const inTree = { workPath, failure, ...common(options) };
  for (const some of chunks(plan.remove)) {
    await runInTree(toolRoot, ['/usr/bin/rm', '-rf', '--one-file-system', '--', ...some.map(inside)], inTree);
  }
  for (const some of chunks(plan.empty.filter((folder) => folder !== '.' && options.index.get(folder) === 'folder'))) {
    await runInTree(toolRoot, ['/usr/bin/find', ...some.map(inside), '-mindepth', '1', '-xdev', '-delete'], inTree);
  }
  if (plan.empty.includes('.')) await emptyRoot(toolRoot, inTree);
  const attributes = ['--xattrs', '--xattrs-include=user.*', '--xattrs-include=security.capability'];
  const tar = ['/usr/bin/tar', '--extract', '--preserve-permissions', '--same-owner', '--numeric-owner', ...attributes];
  await runInTree(toolRoot, [...tar, '--file=-'], { ...inTree, stdin: tarName });
  return { epoch };
}

/** Takes out of an unpacked tree what is only a mark in a layer, and device nodes: a node's kernel makes its own. */
export async function finishArchives(options: Pick<ArchiveOptions, 'toolRoot' | 'workPath' | 'log' | 'signal'>) {
  const { toolRoot, workPath } = options;
  const marks = ['(', '-type', 'b', '-o', '-type', 'c', '-o', '-name', '.wh.*', ')'];
  await runInTree(toolRoot, ['/usr/bin/find', '/', '-xdev', ...marks, '-delete'], {
    workPath,
    failure: { code: 'ARCHIVE_INVALID', message: 'Cannot clean the unpacked tree' },
    ...common(options),
  });
}

type InTree = Parameters<typeof runInTree>[2];

async function emptyRoot(toolRoot: ToolRoot, inTree: InTree): Promise<void> {
  const argv = ['/usr/bin/find', '/', '-xdev', '-mindepth', '1', '-not', '-path', '/.boottorrent*', '-delete'];
  await runInTree(toolRoot, argv, inTree);
}

function inside(path: string): string {
  return `/${path}`;
}

function chunks<T>(list: readonly T[]): readonly (readonly T[])[] {
  return Array.from({ length: Math.ceil(list.length / atOnce) }, (_, at) => list.slice(at * atOnce, (at + 1) * atOnce));
}

/** Writes the plain tar, and plans from its headers; content is only counted and hashed. */
async function readArchive(
  path: string,
  tarPath: string,
  options: ArchiveOptions,
): Promise<{ readonly plan: LayerPlan; readonly epoch: number }> {
  const { expected, signal } = options;
  const hash = createHash('sha256');
  const headers = extract();
  const planned = planAll(headers, options.index);
  planned.catch(() => undefined);
  const compressed = new Counter();
  const plain = new Counter(compressed, (chunk) => void hash.update(chunk));
  const copied = new PassThrough();
  try {
    const scanned = pipeline(copied, headers);
    scanned.catch(() => undefined);
    const decoder = decoders[options.compression]();
    const stages = [createReadStream(path), compressed, decoder, plain, tee(copied), createWriteStream(tarPath)];
    await Promise.all([pipeline(stages, { ...(signal && { signal }) }), scanned, planned]);
  } catch (cause) {
    signal?.throwIfAborted();
    const own = await planned.then(
      () => cause,
      (error: unknown) => (error instanceof Fault ? error : cause),
    );
    if (own instanceof Fault) throw own;
    const hint = 'Build or fetch it again: it is cut off, or it is no tar';
    throw new Fault('ARCHIVE_INVALID', 'Cannot read the archive', { cause: own, hint, retry: 'stalled' });
  }
  const found = parseDigest(hash.digest('hex'));
  if (expected === undefined || found === expected) return planned;
  const message = `Cannot use the archive: unpacked it is sha256:${found}, expected sha256:${expected}`;
  throw new Fault('ARCHIVE_DIGEST_MISMATCH', message, { hint: 'Push the image again', retry: 'stalled' });
}

const decoders = {
  none: () => new PassThrough(),
  gzip: () => createGunzip(),
  zstd: () => createZstdDecompress(),
} as const;

async function planAll(headers: AsyncIterable<TarEntry>, index: TreeIndex) {
  const [remove, empty]: [string[], string[]] = [[], []];
  const now: TreeIndex = new Map();
  let epoch = 0;
  let count = 0;
  for await (const entry of headers) {
    const { name, type, linkname, mtime } = entry.header;
    if (++count > limits.entries) throw tooLarge(`more than ${limits.entries} entries`);
    const told: LayerEntry = { name, type: type ?? 'file', ...(linkname && { linkName: linkname }) };
    const { remove: gone = [], empty: emptied = [] } = planEntry(told, index, now);
    remove.push(...gone);
    empty.push(...emptied);
    epoch = Math.max(epoch, Math.floor((mtime?.getTime() ?? 0) / 1000));
    entry.resume();
  }
  for (const [path, kind] of now) index.set(path, kind);
  return { plan: { remove, empty }, epoch };
}

interface TarEntry {
  readonly header: {
    readonly name: string;
    readonly type?: string | null | undefined;
    readonly linkname?: string | null | undefined;
    readonly mtime?: Date | undefined;
  };
  resume(): unknown;
}

/** Counts what goes through; with the counter of the compressed bytes, ends what swells without measure. */
class Counter extends Transform {
  bytes = 0;
  private readonly compressed: Counter | undefined;
  private readonly each: (chunk: Buffer) => void;

  constructor(compressed?: Counter, each: (chunk: Buffer) => void = () => undefined) {
    super();
    this.compressed = compressed;
    this.each = each;
  }

  override _transform(chunk: Buffer, _: string, done: TransformCallback): void {
    this.bytes += chunk.length;
    this.each(chunk);
    if (this.bytes > limits.bytes) done(tooLarge(`more than ${limits.bytes / 1024 ** 3} GiB`));
    else if (this.compressed && this.isBomb(this.compressed.bytes)) {
      done(tooLarge(`it swells to more than ${limits.ratio} times its size`));
    } else done(null, chunk);
  }

  private isBomb(compressedBytes: number): boolean {
    return this.bytes > limits.freeBytes && this.bytes > compressedBytes * limits.ratio;
  }
}

/** Hands everything on, and a copy to `copy` at that one's pace. */
function tee(copy: PassThrough): Transform {
  return new Transform({
    transform(chunk: Buffer, _, done) {
      if (copy.destroyed || copy.write(chunk)) done(null, chunk);
      else {
        const go = () => {
          copy.off('drain', go).off('close', go);
          done(null, chunk);
        };
        copy.on('drain', go).on('close', go);
      }
    },
    flush(done) {
      copy.end();
      done();
    },
    destroy(error, done) {
      copy.destroy(error ?? undefined);
      done(error);
    },
  });
}

function tooLarge(reason: string): Fault {
  return new Fault('ARCHIVE_TOO_LARGE', `Cannot unpack the archive: ${reason}`, {
    hint: 'Make the image smaller, or find out why it is so large',
    retry: 'stalled',
  });
}
