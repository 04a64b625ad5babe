import { createReadStream } from 'node:fs';
import { open, rm, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { recipePath } from './source/recipe.ts';
import type { ToolRoot } from './source/tool-root.ts';
import type { Store } from './store/store.ts';

export interface DifferenceOptions {
  readonly store: Store;
  readonly toolRoot: () => Promise<ToolRoot>;
  readonly signal?: AbortSignal;
}

/**
 * Where two files differ first, in words: the path within a root filesystem, else the byte.
 * A squashfs may be the whole file, or `root.squashfs` in an initrd of an image for kexec.
 */
export async function firstDifference(one: string, other: string, options: DifferenceOptions): Promise<string> {
  const offsets = [await squashfsOffset(one), await squashfsOffset(other)];
  const [first, second] = offsets;
  if (first !== undefined && second !== undefined) {
    const path = await firstPath(
      [
        { path: one, offset: first },
        { path: other, offset: second },
      ],
      options,
    );
    if (path !== undefined) return path;
  }
  return `byte ${await firstByte(one, other)}`;
}

interface Squashfs {
  readonly path: string;
  readonly offset: number;
}

const squashfsMagic = Buffer.from('hsqs');
const nameInInitrd = Buffer.from('root.squashfs\0');

/** Undefined: there is none in it. */
async function squashfsOffset(path: string): Promise<number | undefined> {
  const file = await open(path);
  try {
    const head = Buffer.alloc(64 * 1024 * 1024);
    const { bytesRead } = await file.read(head, 0, head.length, 0);
    const found = head.subarray(0, bytesRead);
    if (found.subarray(0, 4).equals(squashfsMagic)) return 0;
    const name = found.indexOf(nameInInitrd);
    const at = name < 0 ? -1 : found.indexOf(squashfsMagic, name);
    // Behind the name there is only padding.
    return at < 0 || at - name > nameInInitrd.length + 4 ? undefined : at;
  } finally {
    await file.close();
  }
}

/** Unpacked and listed by the tool root's own programs, as root: owners and devices are compared too. */
async function firstPath(both: readonly [Squashfs, Squashfs], options: DifferenceOptions): Promise<string | undefined> {
  const workPath = await options.store.workDirectory();
  try {
    const toolRoot = await options.toolRoot();
    const recipe = recipePath('first-difference.sh');
    for (const [index, { path }] of both.entries()) await symlink(path, join(workPath, `image-${index}`));
    const argv = ['sh', '/recipe/first-difference.sh', ...both.map(({ offset }) => String(offset))];
    const said = await toolRoot.run(argv, {
      mounts: [
        { source: workPath, target: '/work' },
        { source: join(recipe, '..'), target: '/recipe', readonly: true },
        { source: join(options.store.path, 'blobs'), target: join(options.store.path, 'blobs'), readonly: true },
      ],
      ...(options.signal && { signal: options.signal }),
    });
    return said.trim() || undefined;
  } finally {
    await rm(workPath, { recursive: true, force: true });
  }
}

async function firstByte(one: string, other: string): Promise<number> {
  const others = createReadStream(other)[Symbol.asyncIterator]();
  let rest: Buffer = Buffer.alloc(0);
  let at = 0;
  for await (const chunk of createReadStream(one) as AsyncIterable<Buffer>) {
    while (rest.length < chunk.length) {
      const { value, done } = await others.next();
      if (done) break;
      rest = Buffer.concat([rest, value as Buffer]);
    }
    const index = chunk.findIndex((byte, index) => byte !== rest[index]);
    if (index >= 0) return at + index;
    rest = rest.subarray(chunk.length);
    at += chunk.length;
  }
  return at;
}
