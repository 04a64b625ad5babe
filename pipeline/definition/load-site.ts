import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { Fault } from '#bundle/fault.ts';
import { documentLimits } from './document.ts';
import { definitionsInvalid } from './faults.ts';
import { readSite } from './read-site.ts';
import type { Site } from './site.ts';
import type { SiteOverlay } from './site-overlay.ts';

/**
 * Reads a `boot.config.yaml` from the disk, by itself: whether its images exist is the commit's concern.
 * @throws Fault `CONFIG_INVALID` when there is no such file; `DEFINITIONS_INVALID` with all that is wrong as its cause
 */
export async function loadSite(path: string, overlay?: SiteOverlay): Promise<Site> {
  const text = await readFile(path, 'utf8').catch((cause) => {
    throw new Fault(
      'CONFIG_INVALID',
      `Cannot read ${path}: ${cause.code === 'ENOENT' ? 'there is no such file' : cause.code}`,
      {
        hint: 'Name the file with --config, or run the command where boot.config.yaml is',
        retry: 'stalled',
      },
    );
  });
  const { value, faults } = readSite(basename(path), text.slice(0, documentLimits.bytes + 1), overlay);
  if (!value) throw definitionsInvalid(path, faults);
  return value;
}
