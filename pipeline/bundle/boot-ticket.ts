import { type Digest, type Mac, parseDigest, parseMac, parseSessionId, type SessionId } from './digest.ts';
import { parseRecord, type RecordReader } from './record.ts';
import { type PartName, partNames } from './start.ts';

/** One release's untrusted bytes: the manifest's text is checked against the catalog, the torrent against the manifest. */
export interface TicketRelease {
  readonly manifest: string;
  /** Base64 of a torrent file whose announce URL names the boot session. Absent: nothing goes through the swarm. */
  readonly torrent?: string;
}

/**
 * Everything that a node asks the server for, in one answer to `GET /v1/ticket/<session>?mac=<mac>&arch=<arch>`,
 * with `&image=<name>` when a person has chosen another image than the one that the site says.
 * Only `catalog` becomes trustworthy (by `signature`, a minisign file); all else is a hint.
 */
export interface BootTicket {
  readonly session: SessionId;
  readonly mac: Mac;
  /** Milliseconds since 1970 on the server. */
  readonly timeMs: number;
  readonly catalog: string;
  readonly signature: string;
  readonly image: TicketRelease;
  /** Of the image that `imageName` names: what this node boots unless a person chooses another. */
  readonly imageName: string;
  /** The parts of the bootstrap that this image needs. */
  readonly parts: readonly (TicketRelease & { readonly name: PartName })[];
  /** BitTorrent address of the origin, `10.20.0.1:6881`. */
  readonly origin: string;
  /** Digest of the bootstrap's manifest that is served now; a node that runs another one may boot again. */
  readonly bootstrapManifest: Digest;
}

export const ticketLimitBytes = 8 * 1024 * 1024;

export function formatTicket(ticket: BootTicket): string {
  return JSON.stringify(ticket);
}

/** @throws Fault `TICKET_INVALID` */
export function parseTicket(text: string): BootTicket {
  const record = parseRecord(text, 'the boot ticket', 'TICKET_INVALID');
  return {
    session: parseSessionId(record.string('session')),
    mac: parseMac(record.string('mac')),
    timeMs: record.integer('timeMs'),
    catalog: record.string('catalog', 1024 * 1024),
    signature: record.string('signature', 4096),
    image: parseRelease(record.record('image')),
    imageName: record.string('imageName', 64),
    parts: record.list('parts', partNames.length).map((part) => ({
      name: part.oneOf('name', partNames),
      ...parseRelease(part),
    })),
    origin: record.string('origin', 64),
    bootstrapManifest: parseDigest(record.string('bootstrapManifest')),
  };
}

function parseRelease(record: RecordReader): TicketRelease {
  const torrent = record.optionalString('torrent', 4 * 1024 * 1024);
  return { manifest: record.string('manifest', 256 * 1024), ...(torrent !== undefined && { torrent }) };
}
