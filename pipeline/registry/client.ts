import { Readable } from 'node:stream';
import type { BlobRef } from '#bundle/catalog.ts';
import type { Digest } from '#bundle/digest.ts';
import { digestOf } from '../store/digest.ts';
import { downloadBlob } from './download-blob.ts';
import { manifestLimitBytes } from './limits.ts';
import { mismatch } from './mismatch.ts';
import { openSession, type RegistryOptions, type Session } from './session.ts';
import { type BlobSource, uploadBlob } from './upload-blob.ts';
import { discard, readBody } from './wire.ts';

export interface OciManifest {
  readonly bytes: Buffer;
  readonly mediaType: string;
  readonly digest: Digest;
}

/**
 * One repository of an OCI registry. What is asked for by digest is what the digest says, or a fault; what is asked for
 * by tag is whatever the registry likes.
 * @see https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md
 */
export interface Registry {
  /**
   * A manifest or an index, by tag or by digest.
   * @throws Fault `REGISTRY_NOT_FOUND`, `REGISTRY_DIGEST_MISMATCH`, `REGISTRY_TOO_LARGE`, those of {@link Session.ask}
   */
  getManifest(at: { readonly tag: string } | { readonly digest: Digest }): Promise<OciManifest>;
  /** A small blob. @throws as {@link getManifest} */
  getBlob(digest: Digest, limitBytes: number): Promise<Buffer>;
  /**
   * A blob into the file `path`. What an earlier call left there is gone on with, and so is a broken connection.
   * @throws as {@link getManifest}; then `path` keeps what is good so far
   */
  downloadBlob(ref: BlobRef, path: string): Promise<void>;
  /** Whether a blob of this length is there. */
  hasBlob(ref: BlobRef): Promise<boolean>;
  /** Brings a blob there unless it is; whether it had to be sent. @throws those of {@link Session.ask} */
  putBlob(ref: BlobRef, source: BlobSource): Promise<boolean>;
  /** @returns its digest */
  putManifest(tag: string, manifest: { readonly mediaType: string; readonly bytes: Uint8Array }): Promise<Digest>;
  close(): void;
}

const manifestTypes = [
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.docker.distribution.manifest.v2+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
];

export function openRegistry(options: RegistryOptions): Registry {
  const session = openSession(options);
  const hasBlob = (ref: BlobRef) => has(session, ref);
  return {
    getManifest: (at) => getManifest(session, at),
    getBlob: (digest, limitBytes) => getBlob(session, digest, limitBytes),
    downloadBlob: (ref, path) => downloadBlob(session, ref, path),
    hasBlob,
    async putBlob(ref, source) {
      if (await hasBlob(ref)) return false;
      await uploadBlob(session, ref, source);
      return true;
    },
    async putManifest(tag, { mediaType, bytes }) {
      const headers = { 'content-type': mediaType, 'content-length': String(bytes.length) };
      const body = () => Readable.from([Buffer.from(bytes)]);
      const url = session.url(`manifests/${tag}`);
      discard(await session.ask({ method: 'PUT', url, headers, body }, { expect: [200, 201] }));
      return digestOf(bytes);
    },
    close: session.close,
  };
}

async function getManifest(session: Session, at: { tag?: string; digest?: Digest }): Promise<OciManifest> {
  const name = at.digest === undefined ? (at.tag ?? '') : `sha256:${at.digest}`;
  const call = {
    method: 'GET',
    url: session.url(`manifests/${name}`),
    headers: { accept: manifestTypes.join(', ') },
  } as const;
  const answer = await session.ask(call, { expect: [200] });
  const bytes = await readBody(answer, { limits: session.limits, limitBytes: manifestLimitBytes });
  const digest = digestOf(bytes);
  if (at.digest !== undefined && digest !== at.digest) throw mismatch(session, at.digest, digest);
  const mediaType = (answer.headers['content-type'] ?? '').split(';')[0]?.trim() ?? '';
  return { bytes, mediaType, digest };
}

async function getBlob(session: Session, digest: Digest, limitBytes: number): Promise<Buffer> {
  const call = { method: 'GET', url: session.url(`blobs/sha256:${digest}`) } as const;
  const answer = await session.ask(call, { expect: [200] });
  const bytes = await readBody(answer, { limits: session.limits, limitBytes });
  const found = digestOf(bytes);
  if (found !== digest) throw mismatch(session, digest, found);
  return bytes;
}

async function has(session: Session, { digest, sizeBytes }: BlobRef): Promise<boolean> {
  const answer = await session.ask(
    { method: 'HEAD', url: session.url(`blobs/sha256:${digest}`) },
    { expect: [200, 404] },
  );
  discard(answer);
  return answer.status === 200 && Number(answer.headers['content-length'] ?? sizeBytes) === sizeBytes;
}
