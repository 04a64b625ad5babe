import type { Menu } from '../boot/menu.ts';
import type { ObservedState } from './desired.ts';

export type Readiness = { readonly ready: true } | { readonly ready: false; readonly reason: string };

/** Whether nodes can boot now: a verified catalog is served, all that it names is verified and seeded, and boots may begin. */
export function readiness(
  menu: Menu | undefined,
  observed: ObservedState,
  { isDraining }: { readonly isDraining: boolean },
): Readiness {
  if (isDraining) return { ready: false, reason: 'draining: no new boots, this server is about to end' };
  if (!menu) return { ready: false, reason: 'nothing to serve yet' };
  const { bootstraps, parts, images } = menu.catalog;
  const missing = [...bootstraps, ...parts, ...images].filter(
    ({ manifest, torrent }) =>
      !observed.verified.has(manifest.digest) || (torrent && !observed.seeded.has(torrent.infoHash)),
  );
  if (missing.length === 0) return { ready: true };
  const names = [...new Set(missing.map(({ name }) => name))].slice(0, 10).join(', ');
  return { ready: false, reason: `files are missing or changed on the disk: ${names}` };
}
