import { Fault } from './fault.ts';

/** SHA-256 of some bytes as 64 lower-case hexadecimal digits. */
export type Digest = string & { readonly brand: 'Digest' };

/** SHA-1 of a torrent's info dictionary as 40 lower-case hexadecimal digits (BEP 3). */
export type InfoHash = string & { readonly brand: 'InfoHash' };

/** A git object name, 40 (SHA-1) or 64 (SHA-256) lower-case hexadecimal digits. */
export type Revision = string & { readonly brand: 'Revision' };

/** Six octets as `52:54:00:aa:bb:cc`, lower case. */
export type Mac = string & { readonly brand: 'Mac' };

/** Identifies one boot session: 128 random bits as 32 lower-case hexadecimal digits. */
export type SessionId = string & { readonly brand: 'SessionId' };

/** @throws Fault `DIGEST_INVALID` */
export function parseDigest(text: unknown): Digest {
  return parse<Digest>(text, { pattern: /^[0-9a-f]{64}$/, code: 'DIGEST_INVALID', wanted: '64 hexadecimal digits' });
}

/** @throws Fault `INFOHASH_INVALID` */
export function parseInfoHash(text: unknown): InfoHash {
  return parse<InfoHash>(text, {
    pattern: /^[0-9a-f]{40}$/,
    code: 'INFOHASH_INVALID',
    wanted: '40 hexadecimal digits',
  });
}

/** @throws Fault `REVISION_INVALID` */
export function parseRevision(text: unknown): Revision {
  const pattern = /^([0-9a-f]{40}|[0-9a-f]{64})$/;
  return parse<Revision>(text, { pattern, code: 'REVISION_INVALID', wanted: '40 or 64 hexadecimal digits' });
}

/** Accepts `-` for `:` and capitals, as firmware and people write them. @throws Fault `MAC_INVALID` */
export function parseMac(text: unknown): Mac {
  const normal = typeof text === 'string' ? text.toLowerCase().replaceAll('-', ':') : text;
  return parse<Mac>(normal, { pattern: /^([0-9a-f]{2}:){5}[0-9a-f]{2}$/, code: 'MAC_INVALID', wanted: 'six octets' });
}

/** @throws Fault `SESSION_INVALID` */
export function parseSessionId(text: unknown): SessionId {
  return parse<SessionId>(text, {
    pattern: /^[0-9a-f]{32}$/,
    code: 'SESSION_INVALID',
    wanted: '32 hexadecimal digits',
  });
}

/** The first 12 digits of a manifest's digest: what people see as an image's version. */
export function version(manifest: Digest): string {
  return manifest.slice(0, 12);
}

function parse<T extends string>(text: unknown, form: { pattern: RegExp; code: string; wanted: string }): T {
  if (typeof text !== 'string' || !form.pattern.test(text)) {
    const shown = typeof text === 'string' ? JSON.stringify(text.slice(0, 80)) : typeof text;
    throw new Fault(form.code, `Cannot read ${shown}: expected ${form.wanted}`);
  }
  return text as T;
}
