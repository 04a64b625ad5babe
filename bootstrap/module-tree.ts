import { chmod, copyFile, mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Kernel } from '#pipeline/source/kernel.ts';
import type { LogLine } from '#pipeline/source/source.ts';
import type { ToolRoot } from '#pipeline/source/tool-root.ts';
import { moduleClosure } from './kernel-modules.ts';

export interface ModuleTreeOptions {
  readonly kernel: Kernel;
  readonly toolRoot: ToolRoot;
  readonly log?: LogLine;
  readonly signal?: AbortSignal;
}

/**
 * Makes `lib/modules/<release>` below `base` with the named modules and all that they need: unpacked, since the whole
 * is compressed, and with indexes of their own that busybox reads.
 * @throws Fault `MODULE_UNKNOWN`
 */
export async function makeModuleTree(
  base: string,
  names: readonly string[],
  options: ModuleTreeOptions,
): Promise<void> {
  const { kernel, toolRoot, log, signal } = options;
  const target = join(base, 'lib/modules', kernel.release);
  for (const path of [...(await modulePaths(names, kernel)), 'modules.builtin', 'modules.order']) {
    await mkdir(dirname(join(target, path)), { recursive: true });
    await copyFile(join(kernel.modulesPath, path), join(target, path));
    await chmod(join(target, path), 0o644);
  }
  const script = 'find /tree/lib/modules -name "*.ko.xz" -exec xz -d {} + && depmod --basedir /tree "$0"';
  await toolRoot.run(['sh', '-c', script, kernel.release], {
    mounts: [{ source: base, target: '/tree' }],
    ...(log && { log }),
    ...(signal && { signal }),
  });
  const needless = /\.bin$|^modules\.(builtin.*|order|devname|softdep|weakdep)$/;
  for (const name of await readdir(target)) if (needless.test(name)) await rm(join(target, name));
}

/** Paths below the kernel's modules of the named ones and of all that they need. */
export async function modulePaths(names: readonly string[], kernel: Kernel): Promise<readonly string[]> {
  const read = (name: string) => readFile(join(kernel.modulesPath, name), 'utf8');
  const [modulesDep, builtin] = await Promise.all([read('modules.dep'), read('modules.builtin')]);
  return moduleClosure(names, { modulesDep, builtin });
}
