import { writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Fault } from '#bundle/fault.ts';
import type { Arch } from '#bundle/manifest.ts';
import type { Method } from '#bundle/start.ts';
import type { Store } from '../store/store.ts';
import { type AptOptions, common } from './apt-directory.ts';
import { runInTree } from './in-tree.ts';
import { makeKexecStage, stagedInitrdName, writeStagedInitrd } from './kexec-root.ts';
import { beginLayers } from './layers.ts';
import type { LockedPackage } from './package-list.ts';
import { recipePath } from './recipe.ts';
import { type PreparedStep, runSteps } from './run-steps.ts';
import { runInSandbox } from './sandbox.ts';
import type { SourceFile } from './source.ts';
import { makeSquashfs } from './squashfs.ts';
import type { ToolRoot } from './tool-root.ts';

export interface TreeOptions extends Pick<AptOptions, 'cachePath' | 'mirror' | 'log' | 'signal'> {
  readonly arch: Arch;
  /** `kexec`: with a kernel of its own; else a root filesystem alone. */
  readonly method: Method;
  /** Seconds since 1970: the latest date of a file in the result. */
  readonly epoch: number;
  /** A tar of the files to be laid over the tree. */
  readonly overlayTar?: Uint8Array;
  readonly run: readonly PreparedStep[];
  /** With `kexec`: where the kernel is in the tree. Default: the only `/boot/vmlinuz-*`. */
  readonly kernel?: string;
  /** With `kexec`: from `lockPackages(stageRequest(…), …)`. */
  readonly stageLock?: readonly LockedPackage[];
  readonly store: Store;
  readonly toolRoot: ToolRoot;
  /** With the tree as `root` in it. */
  readonly workPath: string;
}

const modules = ['tree', 'layers', 'tree-changes', 'in-tree', 'run-steps', 'sandbox', 'squashfs'] as const;
const stage = ['kexec-root', 'newc', 'kexec-stage/init', 'kexec-stage/make.sh'] as const;

/** The files of this program that the bytes of such an image depend on. @see recipeOf */
export function treeRecipe(method: Method): readonly string[] {
  return [...modules, 'scrub.sh', 'in-tree.sh', 'tree-changes.sh', ...(method === 'kexec' ? stage : [])];
}

/**
 * Lays the overlay over a tree, runs the steps in it, takes out everything that must differ between nodes, and packs it
 * as `rootfs.squashfs`; where there is an overlay or a step, as two layers: what it was before, and what they changed. For
 * kexec as `vmlinuz` and an initrd with one squashfs in it. The same inputs give the same bytes, as far as the steps do.
 * @throws Fault `OVERLAY_INVALID`, `PRIVATE_KEY_IN_IMAGE`, `TREE_INVALID`, `SQUASHFS_FAILED`, those of {@link runSteps}
 *   and {@link makeKexecStage}
 */
export async function finishTree(options: TreeOptions): Promise<readonly SourceFile[]> {
  const { method, epoch, toolRoot, workPath, overlayTar, run } = options;
  const isLayered = method !== 'kexec' && (overlayTar !== undefined || run.length > 0);
  // A layer holds for ever what was in it: nothing that must go may get into the first one.
  if (isLayered) await scrub(options);
  const layers = isLayered ? await beginLayers(options) : undefined;
  if (overlayTar) await applyOverlay(options, overlayTar);
  await runSteps(run, options);
  await scrub(options);
  if (layers) return layers.finish();
  if (method === 'kexec') {
    const { stageLock = [] } = options;
    // The stage's packages are locked: the suite only says where to look for them.
    await makeKexecStage({ ...options, stageLock, suite: stageSuite });
  }
  const squashfs = join(workPath, 'rootfs.squashfs');
  await makeSquashfs(toolRoot, join(workPath, 'root'), squashfs, { epoch, ...common(options) });
  if (method !== 'kexec') return [{ name: 'rootfs.squashfs', role: 'rootfs', path: squashfs }];
  const out = join(workPath, stagedInitrdName);
  await writeStagedInitrd({ stage: join(workPath, 'stage'), squashfs, out }, epoch);
  return [
    { name: 'vmlinuz', role: 'kernel', path: join(workPath, 'vmlinuz') },
    { name: stagedInitrdName, role: 'initrd', path: out },
  ];
}

/** The suite whose busybox starts a kexec'd image that says nothing of suites itself. */
export const stageSuite = 'trixie';

/** Inside the tree: an absolute link in there (/var/run) leads to the right place. */
async function applyOverlay(options: TreeOptions, overlayTar: Uint8Array): Promise<void> {
  const { toolRoot, workPath } = options;
  await writeFile(join(workPath, 'overlay.tar'), overlayTar);
  const argv = ['/usr/bin/tar', '--extract', '--keep-directory-symlink', '--numeric-owner', '--file=-'];
  await runInTree(toolRoot, argv, {
    workPath,
    stdin: 'overlay.tar',
    failure: { code: 'OVERLAY_INVALID', message: 'Cannot lay the overlay over the root filesystem' },
    ...common(options),
  });
}

/**
 * In a sandbox: a link in the tree, where a folder is expected, leads no further than to the read-only tool root.
 */
async function scrub(options: TreeOptions): Promise<void> {
  const { toolRoot, workPath } = options;
  const recipe = dirname(recipePath('scrub.sh'));
  const run = runInSandbox(toolRoot, ['/bin/sh', '/tmp/recipe/scrub.sh', '/mnt'], {
    view: [
      ...['--ro-bind', toolRoot.path, '/', '--proc', '/proc', '--dev', '/dev', '--tmpfs', '/tmp'],
      ...['--ro-bind', recipe, '/tmp/recipe', '--bind', join(workPath, 'root'), '/mnt'],
    ],
    capabilities: ['CHOWN', 'DAC_OVERRIDE', 'FOWNER'],
    network: false,
    env: {},
    timeoutMs: 600_000,
    failure: { code: 'TREE_INVALID', message: 'Cannot clean the root filesystem' },
    ...common(options),
  });
  await run.catch((cause) => {
    if (!(cause instanceof Fault)) throw cause;
    const said = cause.cause instanceof Error ? cause.cause.message : '';
    const key = /private key: (.*)/.exec(said)?.[1];
    if (key === undefined) throw new Fault('TREE_INVALID', 'Cannot clean the root filesystem', { cause });
    const hint = 'Every node would have the same key, and everyone who may download it: make it at the node’s start';
    const message = `Cannot publish the root filesystem: /${key} is a private key`;
    throw new Fault('PRIVATE_KEY_IN_IMAGE', message, { hint, cause, retry: 'stalled' });
  });
}
