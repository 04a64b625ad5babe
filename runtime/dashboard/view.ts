import type { Catalog, ImageRelease } from '#bundle/catalog.ts';
import { type Digest, type InfoHash, type Mac, type Revision, type SessionId, version } from '#bundle/digest.ts';
import type { Arch, Method } from '#bundle/manifest.ts';
import { type BootPhase, type BootSession, bytesBySource, currentPhase } from '../boot/session.ts';
import type { Conditions, ShownFault } from '../reconcile/outcome.ts';

/** Body of `GET /v1/status`: all that the server knows, for people and programs. */
export interface Status {
  readonly site: string;
  readonly nowMs: number;
  /** Whether a verified catalog is served. */
  readonly ready: boolean;
  /** Of the served catalog. */
  readonly revision?: Revision;
  readonly committedAt?: string;
  readonly serial?: number;
  readonly building?: NonNullable<Conditions['building']>;
  /** The newest revision is not served: stalled until a new one, failed until the next try. */
  readonly refused?: { readonly kind: 'stalled' | 'failed'; readonly revision?: Revision; readonly sinceMs: number };
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
  readonly infoHash: InfoHash;
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
  readonly address?: string;
  readonly firmware?: string;
  readonly image?: string;
  readonly version?: string;
  readonly percent?: number;
  readonly bytesPerSecond?: number;
  readonly bytes: { readonly origin: number; readonly peers: number; readonly http: number };
  /** In order; `seconds` is absent while a phase goes on. */
  readonly phases: readonly { readonly name: BootPhase; readonly startedAtMs: number; readonly seconds?: number }[];
  readonly lastSeenMs: number;
  readonly fault?: { readonly code: string; readonly message: string };
}

export interface StatusSources {
  readonly site: string;
  readonly nowMs: number;
  /** Absent: nothing is served yet. */
  readonly catalog?: Catalog;
  readonly conditions: Conditions;
  /** Faults beside the commit's: the repository cannot be reached, the published catalog is not signed by a trusted key. */
  readonly troubles: readonly ShownFault[];
  readonly needsRestart: readonly string[];
  readonly draining: readonly { readonly name: string; readonly manifest: Digest }[];
  readonly sessions: readonly BootSession[];
}

export function statusView(sources: StatusSources): Status {
  const { site, nowMs, catalog, conditions, needsRestart } = sources;
  const { building, refused } = conditions;
  return {
    ...{ site, nowMs, ready: catalog !== undefined, needsRestart },
    ...(catalog && { revision: catalog.revision, committedAt: catalog.committedAt, serial: catalog.serial }),
    ...(building && { building }),
    ...(refused && { refused: refusal(refused) }),
    faults: [...(refused?.faults ?? []), ...sources.troubles],
    images: (catalog?.images ?? []).map(imageView),
    bootstraps: (catalog?.bootstraps ?? []).map(bundleView),
    draining: sources.draining.map(({ name, manifest }) => ({ name, version: version(manifest) })),
    nodes: sources.sessions.map(nodeView),
  };
}

function refusal({ kind, revision, sinceMs }: NonNullable<Conditions['refused']>): NonNullable<Status['refused']> {
  return { kind, ...(revision !== undefined && { revision }), sinceMs };
}

function imageView(image: ImageRelease): StatusImage {
  return { ...bundleView(image), title: image.title, method: image.method };
}

function bundleView({ name, arch, manifest, torrent, sizeBytes }: Omit<ImageRelease, 'title' | 'method' | 'cmdline'>) {
  const { digest } = manifest;
  return { name, arch, digest, version: version(digest), infoHash: torrent.infoHash, sizeBytes };
}

function nodeView(session: BootSession): StatusNode {
  const { mac, id, address, firmware, image, manifest, doneBytes, totalBytes, fault } = session;
  const phase = currentPhase(session);
  return {
    ...{ mac, session: id, phase, bytes: bytesBySource(session), phases: phaseTimes(session) },
    ...(address !== undefined && { address }),
    ...(firmware !== undefined && { firmware }),
    ...(image !== undefined && { image }),
    ...(manifest !== undefined && { version: version(manifest) }),
    ...(totalBytes > 0 && { percent: Math.min(100, (100 * doneBytes) / totalBytes) }),
    ...(phase === 'download' && { bytesPerSecond: session.bytesPerSecond }),
    lastSeenMs: session.lastSeenMs,
    ...(fault && { fault }),
  };
}

function phaseTimes({ phases }: BootSession): StatusNode['phases'] {
  return phases.map(({ name, atMs }, index) => {
    const next = phases[index + 1];
    return { name, startedAtMs: atMs, ...(next && { seconds: (next.atMs - atMs) / 1000 }) };
  });
}
