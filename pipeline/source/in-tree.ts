import { dirname } from 'node:path';
import { recipePath } from './recipe.ts';
import type { LogLine } from './source.ts';
import type { ToolRoot } from './tool-root.ts';

export interface InTreeOptions {
  /** With the tree as `root` in it. */
  readonly workPath: string;
  /** A file of the work directory to be read as standard input. */
  readonly stdin?: string;
  readonly log?: LogLine;
  readonly signal?: AbortSignal;
  readonly failure: { readonly code: string; readonly message: string; readonly hint?: string };
}

/**
 * Runs a program of the tool root (by its path there) with a tree as its root directory, as root and without network: no
 * link in the tree leads out of it, and nothing of the tree is executed.
 * @throws Fault with the code of `failure`
 */
export async function runInTree(
  toolRoot: ToolRoot,
  argv: readonly string[],
  { workPath, stdin, ...options }: InTreeOptions,
): Promise<string> {
  const call = ['sh', '/recipe/in-tree.sh', '/work/root', ...argv];
  const redirected = ['sh', '-c', `exec "$@" </work/${stdin}`, 'sh', ...call];
  return toolRoot.run(stdin === undefined ? call : redirected, {
    mounts: [
      { source: workPath, target: '/work' },
      { source: dirname(recipePath('in-tree.sh')), target: '/recipe', readonly: true },
    ],
    ...options,
  });
}
