import type { Digest } from '#bundle/digest.ts';
import type { InUse } from '#store/in-use.ts';
import type { OfferedRelease } from './boot/event.ts';
import { type BootSession, isLive } from './boot/session.ts';

export interface UseSources {
  readonly sessions: readonly BootSession[];
  /** Releases that nodes may fall back to. */
  readonly remembered: readonly OfferedRelease[];
  /** What is given out now. */
  readonly blobs: ReadonlySet<Digest>;
  /** Of the served catalog. Absent: nothing is served. */
  readonly serial?: number;
  readonly nowMs: number;
}

/** What garbage collection must leave alone, as nodes see it. */
export function storeUse({ sessions, remembered, blobs, serial, nowMs }: UseSources): InUse {
  const live = sessions.filter((session) => isLive(session, nowMs));
  const releases = [...live.flatMap(({ release }) => release ?? []), ...remembered];
  const distinct = new Map(releases.map((one) => [`${one.catalog} ${one.manifest}`, one]));
  return {
    sinceSerial: serial ?? Number.MAX_SAFE_INTEGER,
    blobs: [...blobs],
    manifests: [...new Set(live.flatMap(({ names }) => names))],
    releases: [...distinct.values()].map(({ catalog, signature, manifest }) => ({ catalog, signature, manifest })),
  };
}
