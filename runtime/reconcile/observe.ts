import type { Digest, InfoHash } from '#bundle/digest.ts';
import type { ObservedState } from './desired.ts';

/** What can tell about itself: the seeder and the boot sessions. */
export interface Observable {
  seeding(): readonly InfoHash[];
  /** Manifests that live boot sessions were sent to. */
  inUse(): ReadonlySet<Digest>;
}

/** At a start nothing is served. */
export const nothingObserved: ObservedState = {
  verified: new Map(),
  seeded: new Set(),
  draining: new Set(),
  inUse: new Set(),
};

/** The remembered state, corrected by those who know better. */
export function observe(remembered: ObservedState, { seeding, inUse }: Observable): ObservedState {
  return { ...remembered, seeded: new Set(seeding()), inUse: inUse() };
}
