import { type Digest, type InfoHash, parseDigest, parseInfoHash, parseRevision, type Revision } from './digest.ts';
import { Fault } from './fault.ts';
import { type Arch, arches } from './manifest.ts';
import { parseRecord, type RecordReader } from './record.ts';
import { parseSelector, type Selector } from './selector.ts';
import { parseStart, type Start } from './start.ts';

/** A blob by content. */
export interface BlobRef {
  readonly digest: Digest;
  readonly sizeBytes: number;
}

/** A torrent file without announce URL. A hint for transport: what counts is the manifest. */
export interface TorrentRef extends BlobRef {
  readonly infoHash: InfoHash;
}

/** One built bundle of one image, of the bootstrap, or of a part of it. */
export interface Release {
  readonly name: string;
  readonly arch: Arch;
  readonly manifest: BlobRef;
  /** Bytes of all files of the manifest that go through the swarm. */
  readonly sizeBytes: number;
  /** Absent when no file goes through the swarm. */
  readonly torrent?: TorrentRef;
}

export interface ImageRelease extends Release {
  readonly title: string;
  /** More about it, for a person who chooses. */
  readonly description?: string;
  readonly start: Start;
  /** The image's command line, exactly as written in its definition. */
  readonly cmdline: string;
  /** As in its manifest. */
  readonly memoryBytes: number;
  /** Set: a node that never sends a heartbeat within this time after `executing` counts as failed. */
  readonly heartbeatMs?: number;
}

export interface Group {
  readonly name: string;
  readonly match: Selector;
  /** The image of these nodes: no menu is shown. Absent: the menu's default, or what a person chooses. */
  readonly image?: string;
  /** What their menu offers. Absent: every image of their architecture. */
  readonly images?: readonly string[];
  readonly cmdline?: string;
}

/** What a node gives to the others. */
export interface SwarmLimits {
  /** How long a node that is about to leave (kexec) stays at most because others still miss something. */
  readonly seedBudgetMs: number;
  /** Of a node whose OS is up. Absent: no limit. */
  readonly uploadBytesPerSecond?: number;
}

/** Everything that a node may believe, for one commit. Signed as a whole; its bytes are verified before it is parsed. */
export interface Catalog {
  readonly format: 1;
  readonly site: string;
  readonly revision: Revision;
  /** The commit's date, ISO 8601 in UTC. */
  readonly committedAt: string;
  /** Rises with every catalog. The signature's trusted comment says the same number, and that one is believed. */
  readonly serial: number;
  /** One per architecture. */
  readonly bootstraps: readonly Release[];
  /** Parts of the bootstraps, one per name ({@link partsOf}) and architecture. */
  readonly parts: readonly Release[];
  /** Sorted by name, one per name and architecture. */
  readonly images: readonly ImageRelease[];
  /** `timeoutMs` -1: wait for ever, 0: no menu. `shell`: a person at the node may leave the menu for a shell. */
  readonly menu: { readonly default: string; readonly timeoutMs: number; readonly shell: boolean };
  readonly swarm: SwarmLimits;
  readonly groups: readonly Group[];
}

export const catalogLimitBytes = 1024 * 1024;

/** Deterministic text of a catalog, ending in a newline: the bytes that are signed. */
export function formatCatalog(catalog: Catalog): string {
  return `${JSON.stringify(catalog, null, 1)}\n`;
}

/**
 * Parses the text of a catalog whose signature was checked already.
 * @throws Fault `CATALOG_INVALID`
 */
export function parseCatalog(text: string): Catalog {
  if (text.length > catalogLimitBytes) throw new Fault('CATALOG_INVALID', 'Cannot read the catalog: it is too large');
  const record = parseRecord(text, 'the catalog', 'CATALOG_INVALID');
  const menu = record.record('menu');
  return {
    format: record.integer('format', { min: 1, max: 1 }) as 1,
    site: record.string('site', 64),
    revision: parseRevision(record.string('revision')),
    committedAt: record.string('committedAt', 40),
    serial: record.integer('serial', { min: 1 }),
    bootstraps: record.list('bootstraps', 10).map(parseRelease),
    parts: record.list('parts', 20).map(parseRelease),
    images: record.list('images', 1000).map(parseImage),
    menu: {
      default: menu.string('default', 64),
      timeoutMs: menu.integer('timeoutMs', { min: -1 }),
      shell: menu.boolean('shell'),
    },
    swarm: parseSwarm(record.record('swarm')),
    groups: record.list('groups', 10_000).map(parseGroup),
  };
}

/** The trusted comment of a catalog's signature. */
export function formatTrustedComment(site: string, serial: number): string {
  return `boottorrent catalog site=${site} serial=${serial}`;
}

/** The site and serial of a trusted comment that was verified. @throws Fault `CATALOG_COMMENT_INVALID` */
export function parseTrustedComment(comment: string): { readonly site: string; readonly serial: number } {
  const match = /^boottorrent catalog site=([a-z0-9][a-z0-9-]{0,63}) serial=([1-9][0-9]{0,15})$/.exec(comment);
  if (!match?.[1] || !match[2]) {
    throw new Fault('CATALOG_COMMENT_INVALID', 'Cannot read the serial: the trusted comment has another form');
  }
  return { site: match[1], serial: Number(match[2]) };
}

function parseSwarm(record: RecordReader): SwarmLimits {
  const uploadBytesPerSecond = record.optionalInteger('uploadBytesPerSecond');
  const seedBudgetMs = record.integer('seedBudgetMs', { max: 3600_000 });
  return { seedBudgetMs, ...(uploadBytesPerSecond !== undefined && { uploadBytesPerSecond }) };
}

/** Also what a build cache keeps. @throws the reader's fault */
export function parseRelease(record: RecordReader): Release {
  const torrent = record.optionalRecord('torrent');
  return {
    name: record.string('name', 64),
    arch: record.oneOf('arch', arches),
    manifest: parseBlob(record.record('manifest')),
    sizeBytes: record.integer('sizeBytes'),
    ...(torrent && { torrent: { ...parseBlob(torrent), infoHash: parseInfoHash(torrent.string('infoHash')) } }),
  };
}

function parseImage(record: RecordReader): ImageRelease {
  const description = record.optionalString('description', 2000);
  const heartbeatMs = record.optionalInteger('heartbeatMs');
  return {
    ...parseRelease(record),
    title: record.string('title', 200),
    ...(description !== undefined && { description }),
    start: parseStart(record.record('start')),
    cmdline: record.string('cmdline', 4096),
    memoryBytes: record.integer('memoryBytes'),
    ...(heartbeatMs !== undefined && { heartbeatMs }),
  };
}

function parseBlob(record: RecordReader): BlobRef {
  return { digest: parseDigest(record.string('digest')), sizeBytes: record.integer('sizeBytes') };
}

function parseGroup(record: RecordReader): Group {
  const image = record.optionalString('image', 64);
  const cmdline = record.optionalString('cmdline', 4096);
  return {
    name: record.string('name', 64),
    match: parseSelector(record.record('match')),
    ...(image !== undefined && { image }),
    ...(record.keys().includes('images') && { images: record.strings('images', 1000) }),
    ...(cmdline !== undefined && { cmdline }),
  };
}
