/**
 * Whether the swarm still needs a node that is about to leave (kexec). What counts is how many nodes still miss
 * something, and how many others have everything: each node that is to be fed at the speed of its own link takes one
 * that feeds it, since in a machine room their links are alike. So as many nodes with everything are kept as there are
 * nodes without, those that stay anyway first; of the leaving ones, the one that waited longest goes first. The origin
 * is not counted: to spare its link is what they stay for. When nobody misses anything, everybody may go.
 */
import type { Digest, SessionId } from '#bundle/digest.ts';
import { type BootPhase, type BootSession, currentPhase } from '../boot/session.ts';

/** How a bundle stands. */
export interface SwarmNeed {
  /** Live sessions that miss something of it, also those that have not begun to download. */
  readonly missingCount: number;
  /** Nodes that have everything and stay. */
  readonly stayingCount: number;
  /** Sessions that have everything and are about to leave, the one that waited longest first. */
  readonly leaving: readonly SessionId[];
}

export interface NeedOptions {
  readonly nowMs: number;
  /** The bundle that a session boots or will boot, where that can be told. */
  readonly manifestOf: (session: BootSession) => Digest | undefined;
  /** Whether nodes that run this bundle go on seeding. */
  readonly isSeededForEver: (manifest: Digest) => boolean;
}

/**
 * What a phase says about its node, and after how much silence it says that no longer: firmware does not report,
 * a download does every 2 s, a seeder in its OS announces itself every minute.
 */
const standings: Readonly<
  Record<BootPhase, { readonly kind: 'misses' | 'has' | 'leaves' | 'runs'; readonly patienceMs: number } | undefined>
> = {
  firmware: { kind: 'misses', patienceMs: 60_000 },
  nbp: { kind: 'misses', patienceMs: 60_000 },
  script: { kind: 'misses', patienceMs: 60_000 },
  kernel: { kind: 'misses', patienceMs: 60_000 },
  network: { kind: 'misses', patienceMs: 60_000 },
  ticket: { kind: 'misses', patienceMs: 60_000 },
  'verify-catalog': { kind: 'misses', patienceMs: 60_000 },
  // A person may choose another image, or nothing for hours.
  menu: undefined,
  download: { kind: 'misses', patienceMs: 10_000 },
  'verify-files': { kind: 'has', patienceMs: 60_000 },
  seed: { kind: 'leaves', patienceMs: 5000 },
  load: { kind: 'runs', patienceMs: 60_000 },
  executing: { kind: 'runs', patienceMs: 150_000 },
  up: { kind: 'runs', patienceMs: 150_000 },
  ended: { kind: 'runs', patienceMs: 150_000 },
  rebooting: undefined,
  failed: undefined,
};

/** How every bundle stands that some session boots. */
export function swarmNeeds(sessions: readonly BootSession[], options: NeedOptions): ReadonlyMap<Digest, SwarmNeed> {
  const needs = new Map<Digest, { missingCount: number; stayingCount: number; leaving: SessionId[] }>();
  for (const session of sessions.toSorted((a, b) => sinceMs(a) - sinceMs(b))) {
    const standing = standings[currentPhase(session)];
    const manifest = options.manifestOf(session);
    if (!standing || manifest === undefined || options.nowMs - session.lastSeenMs > standing.patienceMs) continue;
    const need = needs.get(manifest) ?? { missingCount: 0, stayingCount: 0, leaving: [] };
    needs.set(manifest, need);
    if (standing.kind === 'misses') need.missingCount += 1;
    else if (standing.kind !== 'leaves' && options.isSeededForEver(manifest)) need.stayingCount += 1;
    else if (standing.kind !== 'runs') need.leaving.push(session.id);
  }
  return needs;
}

/** Whether a node that is about to leave may do so now. The node itself bounds how long it waits for that. */
export function mayGo(need: SwarmNeed | undefined, session: SessionId): boolean {
  if (!need || need.missingCount === 0) return true;
  const spareCount = need.stayingCount + need.leaving.length - need.missingCount;
  const rank = need.leaving.indexOf(session);
  return rank >= 0 && rank < spareCount;
}

function sinceMs(session: BootSession): number {
  return session.phases.at(-1)?.atMs ?? 0;
}
