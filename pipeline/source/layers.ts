import { readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type AptOptions, common } from './apt-directory.ts';
import { recipePath } from './recipe.ts';
import type { SourceFile } from './source.ts';
import { makeSquashfs } from './squashfs.ts';
import type { ToolRoot } from './tool-root.ts';
import { treeChanges } from './tree-changes.ts';

export interface LayerOptions extends Pick<AptOptions, 'log' | 'signal'> {
  /** Seconds since 1970: the latest date of a file in a layer. */
  readonly epoch: number;
  readonly toolRoot: ToolRoot;
  /** With the tree as `root` in it. */
  readonly workPath: string;
}

/** A tree whose lowest layer is packed already. */
export interface Layered {
  readonly base: SourceFile;
  /** Packs what has changed in the tree since then; the layers in their order, the lowest first. */
  finish(): Promise<readonly SourceFile[]>;
}

/**
 * Packs a tree as it is as the lowest layer of an image. What is done to it afterwards becomes a second one: the first has
 * the same digest whatever that is.
 * @throws Fault `SQUASHFS_FAILED`
 */
export async function beginLayers(options: LayerOptions): Promise<Layered> {
  const { workPath } = options;
  const base = await pack('root', '00-base.squashfs', options);
  const run = (...argv: readonly string[]) => runScript(argv, options);
  await run('list', 'before');
  async function finish(): Promise<readonly SourceFile[]> {
    await run('list', 'after');
    // Paths are bytes, not text.
    const [before, after] = await Promise.all(
      ['before', 'after'].map((name) => readFile(join(workPath, name), 'latin1')),
    );
    const changes = treeChanges(before ?? '', after ?? '');
    const write = (name: string, paths: readonly string[]) =>
      writeFile(join(workPath, name), paths.map((path) => `${path}\0`).join(''), 'latin1');
    // The folder that all are in, too: its own mode and owner.
    await write('kept', ['.', ...changes.kept.map((path) => `./${path}`)]);
    await write('removed', changes.removed);
    await run('copy');
    return [base, await pack('changes', '01-changes.squashfs', options)];
  }
  return { base, finish };
}

async function pack(tree: string, name: string, options: LayerOptions): Promise<SourceFile> {
  const { workPath, toolRoot, epoch } = options;
  const path = join(workPath, name);
  await makeSquashfs(toolRoot, join(workPath, tree), path, { epoch, ...common(options) });
  return { name, role: 'rootfs', path };
}

async function runScript(argv: readonly string[], options: LayerOptions): Promise<void> {
  const recipe = dirname(recipePath('tree-changes.sh'));
  await options.toolRoot.run(['bash', '/recipe/tree-changes.sh', ...argv], {
    mounts: [
      { source: options.workPath, target: '/work' },
      { source: recipe, target: '/recipe', readonly: true },
    ],
    failure: { code: 'TREE_INVALID', message: 'Cannot find what the overlay and the steps have changed' },
    ...common(options),
  });
}
