import type { Arch } from '#bundle/manifest.ts';
import { digestOf } from '../store/digest.ts';
import type { Store } from '../store/store.ts';
import { resolvePackages } from './apt.ts';
import { type AptOptions, common } from './apt-directory.ts';
import type { LockedPackage } from './package-list.ts';
import { findLocked, formatLock, formatRequest, type PackageRequest } from './package-lock.ts';

export interface LockOptions extends Pick<AptOptions, 'cachePath' | 'mirror' | 'log' | 'signal'> {
  readonly store: Store;
  /** The committed `image.lock`: then nothing is asked of the store or a mirror. */
  readonly lockFile?: { readonly name: string; readonly text: string };
  /** Ask the mirror although the store has an answer. Default: false. */
  readonly refresh?: boolean;
}

/**
 * The exact packages for a request: from the lock file; else as the store remembers them, so that a revert builds
 * nothing when the mirror has moved on; else resolved now, and remembered.
 * @throws Fault `LOCK_STALE`, `LOCK_INVALID`, and those of {@link resolvePackages}
 */
export async function lockPackages(request: PackageRequest, options: LockOptions): Promise<readonly LockedPackage[]> {
  const { store, lockFile, refresh = false, cachePath, mirror } = options;
  if (lockFile) return findLocked(lockFile.text, request, lockFile.name);
  const key = digestOf(formatRequest(request));
  const kept = refresh ? undefined : await store.readBuild(key);
  if (isKept(kept)) return findLocked(kept.lock, request, 'the lock in the store');
  const packages = await resolvePackages({
    ...request,
    arch: request.arch as Arch,
    cachePath,
    ...(mirror !== undefined && { mirror }),
    ...common(options),
  });
  await store.writeBuild(key, { lock: formatLock([{ request, packages }]) });
  return packages;
}

function isKept(value: unknown): value is { readonly lock: string } {
  return typeof value === 'object' && value !== null && 'lock' in value && typeof value.lock === 'string';
}
