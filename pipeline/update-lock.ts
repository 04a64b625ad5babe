import type { ImageDefinition } from '#definition/image.ts';
import { packageRequests, type Workshop } from './image-inputs.ts';
import { resolveTag } from './image-registry.ts';
import { resolvePackages } from './source/apt.ts';
import { formatOciLock } from './source/oci-lock.ts';
import { formatLock, type PackageLock } from './source/package-lock.ts';

/**
 * The text of an image's `image.lock`, resolved now: which packages, and what a tag of a container image stands for.
 * @returns undefined where nothing of the image can change by itself
 * @throws those of apt and of the registry
 */
export async function resolveLock(
  image: ImageDefinition,
  options: Omit<Workshop, 'store'>,
): Promise<string | undefined> {
  const { packages, stage } = packageRequests(image);
  const locks: PackageLock[] = [];
  for (const request of [...packages, ...stage]) {
    const resolve = { ...options, ...request, arch: image.arch };
    locks.push({ request, packages: await resolvePackages(resolve) });
  }
  const { source } = image;
  const isTag = source.kind === 'oci' && !source.image.includes('@');
  const parts = [
    ...(locks.length > 0 ? [formatLock(locks)] : []),
    ...(isTag ? [formatOciLock(source.image, await resolveTag(source.image, options))] : []),
  ];
  return parts.length > 0 ? parts.join('\n') : undefined;
}

/** What a new lock changes, a line each: `openssl 3.5.1 -> 3.5.2`, `new: …`, `gone: …`. */
export function lockChanges(before: string, after: string): readonly string[] {
  const [old, now] = [entriesOf(before), entriesOf(after)];
  const lines: string[] = [];
  for (const [name, version] of now) {
    const was = old.get(name);
    if (was === undefined) lines.push(`new: ${name} ${version}`);
    else if (was !== version) lines.push(`${name} ${was} -> ${version}`);
  }
  for (const [name, version] of old) if (!now.has(name)) lines.push(`gone: ${name} ${version}`);
  return lines.toSorted();
}

function entriesOf(text: string): ReadonlyMap<string, string> {
  const entries = new Map<string, string>();
  let image = '';
  for (const line of text.split('\n')) {
    image = /^# boottorrent oci: (.*)$/.exec(line)?.[1] ?? image;
    const [, name, version] = /^([a-z0-9][a-z0-9+.-]*)=(\S+) /.exec(line) ?? [];
    if (name !== undefined && version !== undefined) entries.set(name, version);
    if (/^sha256:[0-9a-f]{64}$/.test(line)) entries.set(image, line.slice(0, 19));
  }
  return entries;
}
