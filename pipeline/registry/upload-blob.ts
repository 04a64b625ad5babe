import { createReadStream } from 'node:fs';
import { Readable } from 'node:stream';
import type { BlobRef } from '#bundle/catalog.ts';
import { Fault } from '#bundle/fault.ts';
import { mayPass, type Session } from './session.ts';
import { type Answer, discard, showUrl } from './wire.ts';

/** The bytes of a blob: a file's, or these. */
export type BlobSource = { readonly path: string } | { readonly bytes: Uint8Array };

/** Where an upload goes on, and from which byte. */
interface Place {
  readonly url: URL;
  readonly offset: number;
}

/**
 * Sends a blob in chunks; a broken one is gone on with where the registry says that it is.
 * @throws those of {@link Session.ask}
 */
export async function uploadBlob(session: Session, ref: BlobRef, source: BlobSource): Promise<void> {
  const opened = { method: 'POST', url: session.url('blobs/uploads/'), headers: { 'content-length': '0' } } as const;
  const answer = await session.ask(opened, { expect: [202] });
  discard(answer);
  const chunkBytes = Math.max(session.limits.chunkBytes, Number(answer.headers['oci-chunk-min-length'] ?? 0) || 0);
  let place: Place = { url: locationOf(answer), offset: 0 };
  for (let idle = 0; place.offset < ref.sizeBytes; ) {
    const end = Math.min(place.offset + chunkBytes, ref.sizeBytes);
    try {
      place = await sendChunk(session, source, { place, end });
      idle = 0;
    } catch (error) {
      if (!mayPass(error) || ++idle >= session.limits.tries) throw error;
      place = await askPlace(session, place);
    }
  }
  const { url } = place;
  url.searchParams.set('digest', `sha256:${ref.digest}`);
  // The registry may read all of it again, or move it, before it answers.
  const call = {
    method: 'PUT',
    url,
    headers: { 'content-length': '0' },
    answerMs: 20 * session.limits.patienceMs,
  } as const;
  discard(await session.ask(call, { expect: [201], once: true }));
}

async function sendChunk(
  session: Session,
  source: BlobSource,
  { place: { url, offset }, end }: { readonly place: Place; readonly end: number },
): Promise<Place> {
  const headers = {
    'content-type': 'application/octet-stream',
    'content-length': String(end - offset),
    'content-range': `${offset}-${end - 1}`,
  };
  const body = () => chunkOf(source, offset, end);
  const answer = await session.ask({ method: 'PATCH', url, headers, body }, { expect: [202], once: true });
  discard(answer);
  return { url: locationOf(answer), offset: end };
}

function chunkOf(source: BlobSource, offset: number, end: number): Readable {
  if ('bytes' in source) return Readable.from([Buffer.from(source.bytes.subarray(offset, end))]);
  return createReadStream(source.path, { start: offset, end: end - 1, highWaterMark: 256 * 1024 });
}

/** How much of an upload has arrived. */
async function askPlace(session: Session, { url }: Place): Promise<Place> {
  const answer = await session.ask({ method: 'GET', url }, { expect: [204] });
  discard(answer);
  const last = /^(?:bytes=)?0-([0-9]{1,15})$/.exec(answer.headers.range ?? '')?.[1];
  return { url: locationOf(answer, url), offset: last === undefined || last === '0' ? 0 : Number(last) + 1 };
}

function locationOf(answer: Answer, otherwise?: URL): URL {
  const { location } = answer.headers;
  if (location !== undefined && URL.canParse(location, answer.url.href)) return new URL(location, answer.url);
  if (location === undefined && otherwise) return otherwise;
  throw new Fault('REGISTRY_FAILED', `Cannot upload to ${showUrl(answer.url)}: the registry does not say where`, {
    hint: 'Look at the proxy before the registry: it must pass Location on',
  });
}
