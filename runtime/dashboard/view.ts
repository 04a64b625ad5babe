import type { Catalog, ImageRelease, Release } from '#bundle/catalog.ts';
import { type Digest, type InfoHash, type Mac, type Revision, type SessionId, version } from '#bundle/digest.ts';
import type { Retry } from '#bundle/fault.ts';
import type { Arch } from '#bundle/manifest.ts';
import type { Method } from '#bundle/start.ts';
import type { Fallback } from '../boot/fallback.ts';
import {
  type BootResult,
  bootResult,
  type Moment,
  type PhaseTimes,
  phaseTimes,
  stalledSinceMs,
} from '../boot/phases.ts';
import { type BootPhase, type BootSession, bytesBySource, currentPhase, type SourceBytes } from '../boot/session.ts';
import type { Conditions, ShownFault } from '../reconcile/outcome.ts';
import type { Readiness } from '../reconcile/readiness.ts';

/** Body of `GET /v1/status`: all that the server knows, for people and programs. */
export interface Status {
  readonly site: string;
  readonly nowMs: number;
  /** Whether nodes can boot: a verified catalog is served, and all that it names is whole and seeded. */
  readonly ready: boolean;
  /** Why not. */
  readonly notReady?: string;
  /** Of the served catalog. */
  readonly revision?: Revision;
  readonly committedAt?: string;
  readonly serial?: number;
  /** Publishing is held since then; ISO 8601 in UTC. */
  readonly suspendedSince?: string;
  readonly building?: NonNullable<Conditions['building']>;
  /** The newest revision is not served: stalled until a new one, failed until the next try. */
  readonly refused?: { readonly kind: Retry; readonly revision?: Revision; readonly sinceMs: number };
  /** Why it is not served. */
  readonly faults: readonly ShownFault[];
  /** Settings of the commit that take effect only at the next start. */
  readonly needsRestart: readonly string[];
  readonly images: readonly StatusImage[];
  readonly bootstraps: readonly StatusBundle[];
  /** Versions that are still seeded for nodes that began with them. */
  readonly draining: readonly { readonly name: string; readonly version: string }[];
  readonly nodes: readonly StatusNode[];
}

export interface StatusBundle {
  readonly name: string;
  readonly arch: Arch;
  /** Of the manifest. */
  readonly digest: Digest;
  readonly version: string;
  /** Absent when nothing of it goes through the swarm. */
  readonly infoHash?: InfoHash;
  readonly sizeBytes: number;
}

export interface StatusImage extends StatusBundle {
  readonly title: string;
  readonly method: Method;
}

export interface StatusNode {
  readonly mac: Mac;
  readonly session: SessionId;
  readonly phase: BootPhase;
  /** How the boot as a whole goes, or went. */
  readonly result: BootResult;
  /** Set while the node says nothing though it should: its last sign of life. */
  readonly stalledSinceMs?: number;
  readonly address?: string;
  readonly firmware?: string;
  readonly image?: string;
  readonly version?: string;
  readonly percent?: number;
  readonly bytesPerSecond?: number;
  readonly peers?: number;
  readonly bytes: SourceBytes;
  readonly memoryBytes?: number;
  /** PCI ids of devices that no driver of the bootstrap is for. */
  readonly missingDrivers?: readonly string[];
  /** Of a program or virtual machine that is over. */
  readonly exitStatus?: number;
  readonly output?: string;
  /** In order; `seconds` is absent while a phase goes on. */
  readonly phases: readonly PhaseTimes[];
  readonly lastSeenMs: number;
  readonly fault?: { readonly code: string; readonly message: string };
  /** Set where the node gets an older release than the published one. */
  readonly fallback?: StatusFallback;
}

/** Versions of one image. */
export interface StatusFallback {
  readonly image: string;
  readonly from: string;
  readonly to: string;
  readonly failedBoots: number;
}

/** Body of `GET /v1/nodes`. */
export interface NodesAnswer {
  readonly nowMs: number;
  readonly nodes: readonly StatusNode[];
}

/** Body of `GET /v1/nodes/<mac>`. */
export interface NodeAnswer {
  readonly nowMs: number;
  /** The newest session. */
  readonly node: StatusNode;
  /** The sessions before it, newest first. */
  readonly earlier: readonly StatusNode[];
  /** The end of what the node printed in the newest boot that failed. */
  readonly failedLog?: { readonly session: string; readonly atMs: number; readonly code: string; readonly log: string };
}

export interface StatusSources {
  readonly site: string;
  readonly nowMs: number;
  /** Absent: nothing is served yet. */
  readonly catalog?: Catalog;
  readonly readiness: Readiness;
  readonly conditions: Conditions;
  /** Publishing is held since then; ISO 8601 in UTC. */
  readonly suspendedSince?: string;
  /** Faults beside the commit's: the repository cannot be reached, the published catalog is not signed by a trusted key. */
  readonly troubles: readonly ShownFault[];
  readonly needsRestart: readonly string[];
  readonly draining: readonly { readonly name: string; readonly manifest: Digest }[];
  readonly sessions: readonly BootSession[];
  readonly fallbacks: readonly Fallback[];
}

export function statusView(sources: StatusSources): Status {
  const { site, nowMs, catalog, conditions, needsRestart, readiness } = sources;
  const { building, refused } = conditions;
  const { suspendedSince } = sources;
  return {
    ...{ site, nowMs, ready: readiness.ready, needsRestart },
    ...(!readiness.ready && { notReady: readiness.reason }),
    ...(catalog && { revision: catalog.revision, committedAt: catalog.committedAt, serial: catalog.serial }),
    ...(suspendedSince !== undefined && { suspendedSince }),
    ...(building && { building }),
    ...(refused && { refused: refusal(refused) }),
    faults: [...(refused?.faults ?? []), ...sources.troubles],
    images: (catalog?.images ?? []).map(imageView),
    bootstraps: [...(catalog?.bootstraps ?? []), ...(catalog?.parts ?? [])].map(bundleView),
    draining: sources.draining.map(({ name, manifest }) => ({ name, version: version(manifest) })),
    nodes: nodeViews(sources),
  };
}

/** The newest session of every node. */
export function nodeViews({
  sessions,
  fallbacks,
  nowMs,
}: Pick<StatusSources, 'sessions' | 'fallbacks' | 'nowMs'>): readonly StatusNode[] {
  const byMac = new Map(fallbacks.map((fallback) => [fallback.mac, fallback]));
  return sessions.map((session) => {
    const fallback = byMac.get(session.mac);
    return { ...nodeView(session, { nowMs }), ...(fallback && { fallback: fallbackView(fallback) }) };
  });
}

function fallbackView({ image, from, to, boots }: Fallback): StatusFallback {
  return { image, from: version(from), to: version(to.manifest), failedBoots: boots };
}

function refusal({ kind, revision, sinceMs }: NonNullable<Conditions['refused']>): NonNullable<Status['refused']> {
  return { kind, ...(revision !== undefined && { revision }), sinceMs };
}

function imageView(image: ImageRelease): StatusImage {
  return { ...bundleView(image), title: image.title, method: image.start.method };
}

function bundleView({ name, arch, manifest, torrent, sizeBytes }: Release): StatusBundle {
  const { digest } = manifest;
  return { name, arch, digest, version: version(digest), sizeBytes, ...(torrent && { infoHash: torrent.infoHash }) };
}

/** One session, as it is shown. */
export function nodeView(session: BootSession, moment: Moment): StatusNode {
  const { mac, id, address, firmware, image, manifest, doneBytes, totalBytes, fault } = session;
  const { peers, memoryBytes, missingDrivers, exitStatus, output } = session;
  const phase = currentPhase(session);
  const stalled = moment.isOver ? undefined : stalledSinceMs(session, moment.nowMs);
  return {
    ...{ mac, session: id, phase, result: bootResult(session, moment) },
    ...{ bytes: bytesBySource(session), phases: phaseTimes(session, moment) },
    ...(stalled !== undefined && { stalledSinceMs: stalled }),
    ...(address !== undefined && { address }),
    ...(firmware !== undefined && { firmware }),
    ...(image !== undefined && { image }),
    ...(manifest !== undefined && { version: version(manifest) }),
    ...(totalBytes > 0 && { percent: Math.min(100, (100 * doneBytes) / totalBytes) }),
    ...(phase === 'download' && { bytesPerSecond: session.bytesPerSecond }),
    ...(peers !== undefined && { peers }),
    ...(memoryBytes !== undefined && { memoryBytes }),
    ...(missingDrivers && missingDrivers.length > 0 && { missingDrivers }),
    ...(exitStatus !== undefined && { exitStatus }),
    ...(output !== undefined && { output }),
    lastSeenMs: session.lastSeenMs,
    ...(fault && { fault }),
  };
}
