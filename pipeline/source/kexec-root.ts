import { createReadStream, createWriteStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';
import { Fault } from '#bundle/fault.ts';
import type { Store } from '../store/store.ts';
import { extractPackages, fetchPackages } from './apt.ts';
import { type AptOptions, common } from './apt-directory.ts';
import { newcHeader, newcLimitBytes, newcPadding, newcTrailer } from './newc.ts';
import type { LockedPackage } from './package-list.ts';
import type { PackageRequest } from './package-lock.ts';
import type { ToolRoot } from './tool-root.ts';

/** How the initrd of an image is called whose first stage is ours: the agent adds the boot session to such a one only. */
export const stagedInitrdName = 'initrd.boottorrent';

export interface KexecStageOptions extends AptOptions {
  /** From `lockPackages(stageRequest(…), …)`. */
  readonly stageLock: readonly LockedPackage[];
  /** Date of all files, seconds since 1970. */
  readonly epoch: number;
  /** Where the kernel is in the root filesystem. Default: the only `/boot/vmlinuz-*`. */
  readonly kernel?: string;
  readonly store: Store;
  readonly toolRoot: ToolRoot;
  /** With the root filesystem as `root` in it. */
  readonly workPath: string;
}

/** The packages that the stage is made of: its only program. */
export function stageRequest({ suite, arch }: { readonly suite: string; readonly arch: string }): PackageRequest {
  return { suite, arch, packages: ['busybox-static'], dependencies: false };
}

/**
 * Takes the kernel out of the root filesystem and makes the stage: `vmlinuz` and `stage` in the work directory.
 * @throws Fault `KERNEL_MISSING`, `KERNEL_AMBIGUOUS`, `STAGE_FAILED`
 */
export async function makeKexecStage(options: KexecStageOptions): Promise<void> {
  const { workPath, epoch, toolRoot, stageLock, kernel } = options;
  const debs = await fetchPackages(stageLock, options);
  await extractPackages(debs, join(workPath, 'stage-packages'), common(options));
  const argv = ['sh', '/recipe/make.sh', '/work/root', '/work', String(epoch), '/work/stage-packages/usr/bin/busybox'];
  if (kernel !== undefined) argv.push(kernel);
  const run = toolRoot.run(argv, {
    mounts: [
      { source: workPath, target: '/work' },
      { source: stageFolder(), target: '/recipe', readonly: true },
    ],
    ...common(options),
  });
  await run.catch((cause) => explain(cause, kernel));
}

/** The folder of the stage's own files. */
export function stageFolder(): string {
  return dirname(fileURLToPath(new URL('kexec-stage/init', import.meta.url)));
}

/**
 * Writes the initrd: the stage, then the squashfs as the file `root.squashfs` of an uncompressed archive. Nothing of it is
 * held in memory, and the kernel unpacks nothing twice.
 * @throws Fault `IMAGE_TOO_LARGE`
 */
export async function writeStagedInitrd(
  paths: { readonly stage: string; readonly squashfs: string; readonly out: string },
  epoch: number,
): Promise<void> {
  const [stage, squashfs] = await Promise.all([stat(paths.stage), stat(paths.squashfs)]);
  if (squashfs.size > newcLimitBytes) {
    throw new Fault('IMAGE_TOO_LARGE', `Cannot put ${squashfs.size} bytes into an initrd: expected less than 4 GiB`, {
      hint: 'Use method: switch-root for an image of this size',
      retry: 'stalled',
    });
  }
  async function* parts(): AsyncGenerator<Uint8Array> {
    yield* createReadStream(paths.stage);
    yield newcPadding(stage.size);
    yield newcHeader({ name: 'root.squashfs', sizeBytes: squashfs.size, epoch });
    yield* createReadStream(paths.squashfs, { highWaterMark: 1024 * 1024 });
    yield newcPadding(squashfs.size);
    yield newcTrailer();
  }
  await pipeline(Readable.from(nonEmpty(parts())), createWriteStream(paths.out));
}

/** A stream takes an empty chunk for nothing said, and may wait for the next for ever. */
async function* nonEmpty(chunks: AsyncGenerator<Uint8Array>): AsyncGenerator<Uint8Array> {
  for await (const chunk of chunks) if (chunk.length > 0) yield chunk;
}

function explain(cause: unknown, kernel: string | undefined): never {
  if (!(cause instanceof Fault)) throw cause;
  const said = cause.cause instanceof Error ? cause.cause.message : '';
  const count = /kernels: ([0-9]+)/.exec(said)?.[1];
  if (count === undefined) {
    throw new Fault('STAGE_FAILED', 'Cannot make the first stage of the image', { cause });
  }
  if (kernel !== undefined) {
    const message = `Cannot start the image by kexec: there is no kernel ${kernel} in it`;
    throw new Fault('KERNEL_MISSING', message, { hint: 'Name a regular file, no link', cause, retry: 'stalled' });
  }
  if (count === '0') {
    const hint = 'Add a kernel to it: a package such as linux-image-amd64';
    throw new Fault('KERNEL_MISSING', 'Cannot start the image by kexec: it has no /boot/vmlinuz-*', {
      hint,
      cause,
      retry: 'stalled',
    });
  }
  const hint = 'Leave one of them: one package linux-image-…, or source.oci.kernel';
  throw new Fault('KERNEL_AMBIGUOUS', `Cannot start the image by kexec: it has ${count} kernels`, {
    hint,
    cause,
    retry: 'stalled',
  });
}
