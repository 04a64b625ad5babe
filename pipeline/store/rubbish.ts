import { readdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type Digest, parseDigest } from '#bundle/digest.ts';

/** Everything that lies in a store, and how to remove parts of it. */
export interface Rubbish {
  readonly blobs: readonly { readonly digest: Digest; readonly sizeBytes: number }[];
  readonly builds: readonly BuildRecord[];
  /** In an order in which nothing that stays ever names what is gone. */
  remove(what: {
    readonly serials: readonly number[];
    readonly builds: readonly BuildRecord[];
    readonly blobs: readonly { readonly digest: Digest }[];
    readonly signal: AbortSignal | undefined;
  }): Promise<void>;
}

export interface BuildRecord {
  readonly name: string;
  readonly text: string;
  /** When it was read or written last. */
  readonly usedAtMs: number;
}

export async function openRubbish(path: string): Promise<Rubbish> {
  return {
    blobs: await listBlobs(join(path, 'blobs')),
    builds: await listBuilds(join(path, 'builds')),
    async remove({ serials, builds, blobs, signal }) {
      for (const serial of serials) await rm(join(path, 'catalogs', `${serial}.json`), { force: true });
      for (const { name } of builds) await rm(join(path, 'builds', name), { force: true });
      for (const { digest } of blobs) {
        signal?.throwIfAborted();
        await rm(join(path, 'blobs', digest.slice(0, 2), digest), { force: true });
      }
    },
  };
}

async function listBlobs(path: string): Promise<Rubbish['blobs']> {
  const found: { digest: Digest; sizeBytes: number }[] = [];
  for (const folder of await readdir(path)) {
    for (const name of await readdir(join(path, folder))) {
      if (!/^[0-9a-f]{64}$/.test(name)) continue;
      found.push({ digest: parseDigest(name), sizeBytes: (await stat(join(path, folder, name))).size });
    }
  }
  return found;
}

async function listBuilds(path: string): Promise<readonly BuildRecord[]> {
  const names = (await readdir(path)).filter((name) => name.endsWith('.json'));
  return Promise.all(
    names.map(async (name) => {
      const [text, { mtimeMs }] = await Promise.all([readFile(join(path, name), 'utf8'), stat(join(path, name))]);
      return { name, text, usedAtMs: mtimeMs };
    }),
  );
}
