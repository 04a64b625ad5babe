import { mkdir, rm } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import type { LogLine } from './source.ts';
import type { ToolRoot } from './tool-root.ts';

export interface SquashfsOptions {
  /** `none` stores blocks as they are, for a tree of files that are compressed already. Default: `zstd`. */
  readonly compression?: 'zstd' | 'xz' | 'none';
  /** Of zstd, 1 to 22. Default: 9: a tenth of the seconds of 15, and 1 % larger. */
  readonly level?: number;
  /** A power of two from 4 KiB to 1 MiB; larger compresses better, smaller reads less for a small file. Default: 256 KiB. */
  readonly blockBytes?: number;
  /** Seconds since 1970: the file system's date, and the latest that a file in it may have. Default: 0. */
  readonly epoch?: number;
  /** Everything belongs to root:root. */
  readonly isRootOwned?: boolean;
  readonly log?: LogLine;
  readonly signal?: AbortSignal;
}

/**
 * Packs the directory `tree` into the squashfs file `out`, which is replaced. The same tree gives the same bytes, on
 * any number of processors.
 * @throws Fault `SQUASHFS_FAILED`
 */
export async function makeSquashfs(
  toolRoot: ToolRoot,
  tree: string,
  out: string,
  options: SquashfsOptions = {},
): Promise<void> {
  const { epoch = 0, log, signal } = options;
  await mkdir(dirname(out), { recursive: true });
  await rm(out, { force: true });
  const argv = [
    'mksquashfs',
    '/tree',
    `/out/${basename(out)}`,
    '-noappend',
    '-no-progress',
    '-quiet',
    '-xattrs-exclude',
    '^system.',
  ];
  await toolRoot.run([...argv, ...formatOptions(options)], {
    // With -mkfs-time or -all-time beside it, mksquashfs ends with an error.
    env: { SOURCE_DATE_EPOCH: String(epoch) },
    mounts: [
      { source: tree, target: '/tree', readonly: true },
      { source: dirname(out), target: '/out' },
    ],
    failure: { code: 'SQUASHFS_FAILED', message: `Cannot make ${basename(out)}`, hint: 'Is there room on the disk?' },
    ...(log && { log }),
    ...(signal && { signal }),
  });
}

function formatOptions({
  compression = 'zstd',
  level = 9,
  blockBytes = 256 * 1024,
  isRootOwned = false,
}: SquashfsOptions): string[] {
  return [
    ...(compression === 'none' ? ['-noI', '-noId', '-noD', '-noF', '-noX'] : ['-comp', compression]),
    ...(compression === 'zstd' ? ['-Xcompression-level', String(level)] : []),
    '-b',
    String(blockBytes),
    ...(isRootOwned ? ['-all-root'] : []),
  ];
}
