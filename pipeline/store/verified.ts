import type { BigIntStats } from 'node:fs';
import { readFile } from 'node:fs/promises';
import type { Digest } from '#bundle/digest.ts';
import { replaceFile } from './atomic-file.ts';

/**
 * Which blobs were hashed and found right, by what stat(2) said then. Any write to a file changes its times, so a
 * matching stamp stands for the hash. The file is shared by processes: losing an entry only costs hashing again.
 */
export interface Verified {
  has(digest: Digest, stats: BigIntStats): Promise<boolean>;
  remember(digest: Digest, stats: BigIntStats): Promise<void>;
}

type Stamps = Map<string, string>;

/**
 * @param temporary makes a new file name on the same file system
 * @param others stamps of another user, which are only read
 */
export async function openVerified(path: string, temporary: () => string, others?: string): Promise<Verified> {
  const readAll = async () => new Map([...(others ? await readStamps(others) : []), ...(await readStamps(path))]);
  let stamps = await readAll();
  let writing = Promise.resolve();

  async function write(digest: Digest, stats: BigIntStats): Promise<void> {
    stamps = new Map([...(await readStamps(path)), ...stamps, [digest, stampOf(stats)]]);
    await replaceFile(path, JSON.stringify(Object.fromEntries(stamps)), { temporary: temporary(), isCache: true });
  }
  return {
    async has(digest, stats) {
      const stamp = stampOf(stats);
      if (stamps.get(digest) === stamp) return true;
      stamps = new Map([...stamps, ...(await readAll())]);
      return stamps.get(digest) === stamp;
    },
    remember(digest, stats) {
      const written = writing.then(() => write(digest, stats));
      writing = written.catch(() => undefined);
      return written;
    },
  };
}

function stampOf({ ino, size, mtimeNs, ctimeNs }: BigIntStats): string {
  return `${ino} ${size} ${mtimeNs} ${ctimeNs}`;
}

async function readStamps(path: string): Promise<Stamps> {
  try {
    const value: unknown = JSON.parse(await readFile(path, 'utf8'));
    return new Map(Object.entries(value as Record<string, string>));
  } catch {
    // Absent at the first start; unreadable means only that everything is hashed again.
    return new Map();
  }
}
