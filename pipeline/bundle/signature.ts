import { decodeBase64, encodeBase64 } from './base64.ts';
import { Fault } from './fault.ts';

/**
 * Minisign's format, prehashed form (`ED`): the signature covers BLAKE2b-512 of the bytes, a second one covers the
 * first and the trusted comment. Every line here can be checked with the public tool.
 * @see https://jedisct1.github.io/minisign/
 */
export interface PublicKey {
  /** Eight bytes as minisign shows them: 16 capital hexadecimal digits, last byte first. */
  readonly keyId: string;
  /** 32 bytes. */
  readonly bytes: Uint8Array;
}

export interface SecretKey {
  readonly keyId: string;
  /** 32 bytes: the Ed25519 seed (RFC 8032 §5.1.5). */
  readonly seed: Uint8Array;
  readonly publicKey: PublicKey;
}

export interface Signature {
  readonly keyId: string;
  readonly bytes: Uint8Array;
  readonly trustedComment: string;
  readonly commentBytes: Uint8Array;
}

/** What is asked of the platform; Node's are in `#store/ed25519.ts`. */
export interface Verifier {
  blake2b512(bytes: Uint8Array): Uint8Array;
  verify(key: PublicKey, message: Uint8Array, signature: Uint8Array): boolean;
}

export interface Signer {
  blake2b512(bytes: Uint8Array): Uint8Array;
  sign(key: SecretKey, message: Uint8Array): Uint8Array;
}

const publicKeyTag = [0x45, 0x64];
const prehashedTag = [0x45, 0x44];
/** `Ed`, no key derivation, `B2`: a secret key without a password. */
const secretKeyTag = [0x45, 0x64, 0, 0, 0x42, 0x32];
const secretKeyLength = 158;
const secretKeyAt = 54;

/** Reads a public key: the base64 alone, or the two lines of a `.pub` file. @throws Fault `PUBLIC_KEY_INVALID` */
export function parsePublicKey(text: string): PublicKey {
  const lines = linesOf(text);
  const bytes = decodeBase64(lines.at(-1) ?? '');
  if (lines.length > 2 || bytes?.length !== 42 || !startsWith(bytes, publicKeyTag)) {
    throw new Fault('PUBLIC_KEY_INVALID', 'Cannot read the public key: it has not the form of minisign', {
      hint: 'Give the second line of the .pub file, which begins with RWQ or RWR',
      retry: 'stalled',
    });
  }
  return { keyId: keyIdOf(bytes.subarray(2, 10)), bytes: bytes.slice(10) };
}

/** The base64 line of a public key (`RWQ…`). */
export function formatPublicKey(key: PublicKey): string {
  return encodeBase64(join(publicKeyTag, keyIdBytes(key.keyId), key.bytes));
}

/** The text of a `.pub` file. Minisign writes the id there as a number, without leading zeros. */
export function formatPublicKeyFile(key: PublicKey): string {
  return `untrusted comment: minisign public key ${key.keyId.replace(/^0+/, '')}\n${formatPublicKey(key)}\n`;
}

/** Reads a secret key file without password. @throws Fault `SECRET_KEY_INVALID`, `SECRET_KEY_ENCRYPTED` */
export function parseSecretKey(text: string): SecretKey {
  const bytes = decodeBase64(linesOf(text)[1] ?? '');
  if (bytes?.length !== secretKeyLength || !startsWith(bytes, publicKeyTag)) {
    throw new Fault('SECRET_KEY_INVALID', 'Cannot read the secret key: it has not the form of minisign', {
      hint: 'Make one with "boottorrent keygen"',
      retry: 'stalled',
    });
  }
  if (!startsWith(bytes, secretKeyTag)) {
    throw new Fault('SECRET_KEY_ENCRYPTED', 'Cannot read the secret key: it is protected by a password', {
      hint: 'Remove the password with "minisign -C -W -s FILE", and protect the file by its mode',
      retry: 'stalled',
    });
  }
  const at = secretKeyAt;
  const keyId = keyIdOf(bytes.subarray(at, at + 8));
  const publicKey = { keyId, bytes: bytes.slice(at + 40, at + 72) };
  return { keyId, seed: bytes.slice(at + 8, at + 40), publicKey };
}

/** The text of a secret key file without password, as `minisign -G -W` writes it. */
export function formatSecretKeyFile(key: SecretKey): string {
  const bytes = new Uint8Array(secretKeyLength);
  bytes.set(secretKeyTag);
  bytes.set(join(keyIdBytes(key.keyId), key.seed, key.publicKey.bytes), secretKeyAt);
  return `untrusted comment: minisign secret key\n${encodeBase64(bytes)}\n`;
}

/** Line numbers, from 1, on which a text holds a minisign secret key, with or without password. */
export function findSecretKeys(text: string): readonly number[] {
  // The base64 of `Ed`, the two bytes of the key derivation (none, or `Sc`) and `B2`; then what is left of 158 bytes.
  const pattern = /RW(?:QAAEIy|RTY0Iy)[A-Za-z0-9+/]{200}/;
  return text.split('\n').flatMap((line, index) => (pattern.test(line) ? [index + 1] : []));
}

/** Reads a `.minisig` file. @throws Fault `BUNDLE_SIGNATURE_INVALID` */
export function parseSignature(text: string): Signature {
  const [untrusted, signatureLine, comment, commentLine, ...rest] = linesOf(text);
  const bytes = decodeBase64(signatureLine ?? '');
  const commentBytes = decodeBase64(commentLine ?? '');
  const trusted = /^trusted comment: ([\t\x20-\x7e]{0,1024})$/.exec(comment ?? '')?.[1];
  const isWhole = untrusted?.startsWith('untrusted comment: ') && rest.length === 0 && trusted !== undefined;
  if (!isWhole || bytes?.length !== 74 || !startsWith(bytes, prehashedTag) || commentBytes?.length !== 64) {
    throw invalid('it has not the form of minisign');
  }
  return { keyId: keyIdOf(bytes.subarray(2, 10)), bytes: bytes.slice(10), trustedComment: trusted, commentBytes };
}

/**
 * Reads a signature that must be as {@link formatSignature} writes it: not one bit of it may differ, not even in the
 * line that nobody signed.
 * @throws Fault `BUNDLE_SIGNATURE_INVALID`
 */
export function parseOwnSignature(text: string): Signature {
  const signature = parseSignature(text);
  if (formatSignature(signature) === text) return signature;
  throw invalid('it is not as the publisher writes it');
}

/** The text of a `.minisig` file. */
export function formatSignature({ keyId, bytes, trustedComment, commentBytes }: Signature): string {
  const line = encodeBase64(join(prehashedTag, keyIdBytes(keyId), bytes));
  const comment = encodeBase64(commentBytes);
  return `untrusted comment: signature from boottorrent\n${line}\ntrusted comment: ${trustedComment}\n${comment}\n`;
}

/**
 * Checks bytes against a `.minisig` text, before anything in them is believed.
 * @returns the trusted comment, which is signed as well
 * @throws Fault `BUNDLE_SIGNATURE_INVALID`; `BUNDLE_KEY_UNKNOWN` when none of `keys` made it
 */
export function verifySignature(
  message: Uint8Array,
  text: string,
  { keys, verifier }: { readonly keys: readonly PublicKey[]; readonly verifier: Verifier },
): { readonly trustedComment: string; readonly keyId: string } {
  const signature = parseSignature(text);
  const candidates = keys.filter((key) => key.keyId === signature.keyId);
  if (candidates.length === 0) {
    throw new Fault('BUNDLE_KEY_UNKNOWN', `Cannot verify the signature: no trusted key has the id ${signature.keyId}`, {
      hint: 'Add the public key to trust.publicKeys, or publish again with a key that is trusted',
    });
  }
  const hash = verifier.blake2b512(message);
  const key = candidates.find((one) => verifier.verify(one, hash, signature.bytes));
  if (!key) throw invalid('the bytes are not those that were signed');
  if (!verifier.verify(key, commentMessage(signature.bytes, signature.trustedComment), signature.commentBytes)) {
    throw invalid('the trusted comment is not the one that was signed');
  }
  return { trustedComment: signature.trustedComment, keyId: key.keyId };
}

/** Signs bytes and a trusted comment (printable ASCII). Deterministic (RFC 8032). @throws RangeError */
export function createSignature(
  message: Uint8Array,
  options: { readonly key: SecretKey; readonly trustedComment: string; readonly signer: Signer },
): Signature {
  const { key, trustedComment, signer } = options;
  if (!/^[\t\x20-\x7e]{0,1024}$/.test(trustedComment)) throw new RangeError('trustedComment must be printable ASCII');
  const bytes = signer.sign(key, signer.blake2b512(message));
  const commentBytes = signer.sign(key, commentMessage(bytes, trustedComment));
  return { keyId: key.keyId, bytes, trustedComment, commentBytes };
}

/** The id of eight random bytes. */
export function keyIdOf(bytes: Uint8Array): string {
  return [...bytes]
    .reverse()
    .map((byte) => byte.toString(16).padStart(2, '0'))
    .join('')
    .toUpperCase();
}

function keyIdBytes(keyId: string): Uint8Array {
  return Uint8Array.from(keyId.match(/../g) ?? [], (digits) => Number.parseInt(digits, 16)).reverse();
}

function commentMessage(signature: Uint8Array, comment: string): Uint8Array {
  return join(
    signature,
    Uint8Array.from(comment, (character) => character.charCodeAt(0)),
  );
}

function join(...parts: readonly ArrayLike<number>[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

function linesOf(text: string): readonly string[] {
  return text.replace(/\n$/, '').split('\n');
}

function startsWith(bytes: Uint8Array, tag: readonly number[]): boolean {
  return tag.every((byte, index) => bytes[index] === byte);
}

function invalid(reason: string): Fault {
  return new Fault('BUNDLE_SIGNATURE_INVALID', `Cannot verify the signature: ${reason}`, {
    hint: 'Publish again; if it stays, somebody between the publisher and here changes what is sent',
  });
}
