import { readFile } from 'node:fs/promises';
import { Fault } from '#bundle/fault.ts';
import type { SourceDocument } from './document.ts';

/** Settings laid over those of `boot.config.yaml`, in the same shape; the lab has its own network, for instance. */
export type SiteOverlay = { readonly [key: string]: unknown };

/**
 * A document with settings laid over it, as a JSON Merge Patch (RFC 7396): mappings merge, everything else is
 * replaced, null removes. Places of what the overlay brings are those of the nearest key that the file has.
 */
export function withOverlay(document: SourceDocument, overlay: SiteOverlay | undefined): SourceDocument {
  return overlay === undefined ? document : { ...document, value: merge(document.value, overlay) };
}

/** Reads an overlay from a JSON file. @throws Fault `CONFIG_INVALID` */
export async function loadOverlay(path: string | undefined): Promise<SiteOverlay | undefined> {
  if (path === undefined) return undefined;
  try {
    return JSON.parse(await readFile(path, 'utf8')) as SiteOverlay;
  } catch (cause) {
    const hint = 'An overlay is a JSON file in the shape of boot.config.yaml';
    throw new Fault('CONFIG_INVALID', `Cannot read the overlay ${path}`, { cause, hint, retry: 'stalled' });
  }
}

function merge(below: unknown, above: unknown): unknown {
  if (!isMapping(above)) return above;
  const merged = new Map(Object.entries(isMapping(below) ? below : {}));
  for (const [key, value] of Object.entries(above)) {
    if (value === null) merged.delete(key);
    else merged.set(key, merge(merged.get(key), value));
  }
  return Object.fromEntries(merged);
}

function isMapping(value: unknown): value is SiteOverlay {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
