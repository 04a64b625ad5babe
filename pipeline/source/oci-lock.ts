import { type Digest, parseDigest } from '#bundle/digest.ts';
import { Fault } from '#bundle/fault.ts';
import { digestOf } from '../store/digest.ts';
import type { LockOptions } from './lock.ts';

const title = '# boottorrent oci';

/** The part of an `image.lock` that says which image a tag stood for. */
export function formatOciLock(image: string, digest: Digest): string {
  return `${title}: ${image}\nsha256:${digest}\n`;
}

/**
 * The digest of a container image: the one in its name; else from the lock file; else as the store remembers it; else
 * asked of the registry now, and remembered. So a tag that moved changes nothing until somebody wants it to.
 * @param resolve asks the registry
 * @throws Fault `LOCK_STALE` when the lock file is for another image, and those of `resolve`
 */
export async function lockOciImage(
  image: string,
  { store, lockFile, refresh = false, resolve }: LockOptions & { readonly resolve: () => Promise<Digest> },
): Promise<Digest> {
  const [, written] = /@sha256:([0-9a-f]{64})$/.exec(image) ?? [];
  if (written !== undefined) return parseDigest(written);
  if (lockFile) return findOciLock(image, lockFile);
  const key = digestOf(`${title}: ${image}`);
  const kept = refresh ? undefined : await store.readBuild(key);
  if (isKept(kept)) return parseDigest(kept.ociDigest);
  const digest = await resolve();
  await store.writeBuild(key, { ociDigest: digest });
  return digest;
}

function findOciLock(image: string, { name, text }: NonNullable<LockOptions['lockFile']>): Digest {
  const lines = text.split('\n').map((line) => line.trimEnd());
  const at = lines.indexOf(`${title}: ${image}`);
  const [, digest] = /^sha256:([0-9a-f]{64})$/.exec(lines[at + 1] ?? '') ?? [];
  if (at >= 0 && digest !== undefined) return parseDigest(digest);
  throw new Fault('LOCK_STALE', `Cannot use the lock: it says nothing of ${image}`, {
    hint: 'Run "boottorrent update", and commit image.lock with the change',
    location: { file: name, line: Math.max(at + 1, 0) + 1, column: 1 },
    retry: 'stalled',
  });
}

function isKept(value: unknown): value is { readonly ociDigest: string } {
  return typeof value === 'object' && value !== null && 'ociDigest' in value && typeof value.ociDigest === 'string';
}
