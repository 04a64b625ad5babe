import type { ImageRelease } from '#bundle/catalog.ts';
import type { Digest, Mac } from '#bundle/digest.ts';
import type { OfferedRelease } from './event.ts';
import { type BootPhase, type BootSession, currentPhase } from './session.ts';

/** How an image's releases did on one node. */
export interface ReleaseRecord {
  readonly mac: Mac;
  readonly image: string;
  /** Boots in a row that failed, of the releases that failed last; newest first. */
  readonly failed: readonly { readonly identity: Digest; readonly manifest: Digest; readonly boots: number }[];
  /** Releases that came up, newest first. */
  readonly good: readonly OfferedRelease[];
}

/** A node gets an older release of an image than the one that is published. */
export interface Fallback {
  readonly mac: Mac;
  readonly image: string;
  /** The published one, and how many of its boots failed. */
  readonly from: Digest;
  readonly boots: number;
  readonly to: OfferedRelease;
}

/** So many failed boots in a row, and a node is offered the release that came up. */
export const failedBootsLimit = 3;
/** Releases that are remembered of each kind. */
const rememberedLimit = 4;

/** What makes a release another one: its files, and how they are started. A text to be hashed. */
export function releaseIdentity({ manifest, start, cmdline }: ImageRelease): string {
  return JSON.stringify([manifest.digest, start, cmdline]);
}

/** What a change of a session says about its release; undefined: nothing. */
export type Verdict = 'up' | 'failed';

/** Phases in which a fault is the release's own, and not the network's or the server's. */
const ownPhases: readonly BootPhase[] = ['verify-files', 'seed', 'load', 'executing', 'up'];

/**
 * Judges one step of a session. A fault before the files are there counts only where it is the image that asks for too
 * much; a session that is replaced counts when its OS was started and never spoke.
 * @param after absent: a newer session has taken its place
 */
export function verdict(before: BootSession, after: BootSession | undefined): Verdict | undefined {
  const phase = currentPhase(before);
  if (!after) return phase === 'executing' ? 'failed' : undefined;
  if (after.phases === before.phases) return undefined;
  if (currentPhase(after) === 'up') return 'up';
  if (currentPhase(after) !== 'failed') return undefined;
  return ownPhases.includes(phase) || after.fault?.code === 'MEMORY_INSUFFICIENT' ? 'failed' : undefined;
}

/** A record after one more boot. */
export function judge(record: ReleaseRecord, release: OfferedRelease, said: Verdict): ReleaseRecord {
  const failed = record.failed.filter((one) => one.identity !== release.identity);
  if (said === 'up') {
    const good = record.good.filter((one) => one.identity !== release.identity);
    return { ...record, failed, good: [release, ...good].slice(0, rememberedLimit) };
  }
  const boots = 1 + (record.failed.find((one) => one.identity === release.identity)?.boots ?? 0);
  const { identity, manifest } = release;
  return { ...record, failed: [{ identity, manifest, boots }, ...failed].slice(0, rememberedLimit) };
}

/**
 * What a node gets instead of the published release; undefined: that one. The newest that came up, unless that has begun
 * to fail as often: then nothing is better than what the site says.
 * @param published identity of the published release
 */
export function fallbackOf(record: ReleaseRecord | undefined, published: Digest): Fallback | undefined {
  const bad = record?.failed.find((one) => one.identity === published);
  if (!record || !bad || bad.boots < failedBootsLimit) return undefined;
  const to = record.good.find((one) => !hasFailed(record, one));
  return to && { mac: record.mac, image: record.image, from: bad.manifest, boots: bad.boots, to };
}

/** Releases that a node may be given again: the two newest that came up, one of which may be the published one. */
export function mayFallBackTo(record: ReleaseRecord): readonly OfferedRelease[] {
  return record.good.filter((one) => !hasFailed(record, one)).slice(0, 2);
}

function hasFailed(record: ReleaseRecord, release: OfferedRelease): boolean {
  return record.failed.some((one) => one.identity === release.identity && one.boots >= failedBootsLimit);
}
