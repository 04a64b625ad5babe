import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  sign,
  verify,
} from 'node:crypto';
import { keyIdOf, type PublicKey, type SecretKey, type Signer, type Verifier } from '#bundle/signature.ts';
import { blake2b512 } from './digest.ts';

/** Node's Ed25519 (RFC 8032) and BLAKE2b for `#bundle/signature.ts`. */
export const nodeVerifier: Verifier = {
  blake2b512,
  verify: (key, message, signature) => verify(null, message, publicKeyObject(key), signature),
};

export const nodeSigner: Signer = {
  blake2b512,
  sign: (key, message) => sign(null, message, secretKeyObject(key)),
};

/** A new key pair with a random id. */
export function generateSecretKey(): SecretKey {
  const { privateKey } = generateKeyPairSync('ed25519');
  const { d = '', x = '' } = privateKey.export({ format: 'jwk' });
  const keyId = keyIdOf(randomBytes(8));
  return { keyId, seed: fromBase64Url(d), publicKey: { keyId, bytes: fromBase64Url(x) } };
}

function publicKeyObject({ bytes }: PublicKey): KeyObject {
  return createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x: toBase64Url(bytes) }, format: 'jwk' });
}

function secretKeyObject({ seed, publicKey }: SecretKey): KeyObject {
  const key = { kty: 'OKP', crv: 'Ed25519', d: toBase64Url(seed), x: toBase64Url(publicKey.bytes) };
  return createPrivateKey({ key, format: 'jwk' });
}

function toBase64Url(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64url');
}

function fromBase64Url(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, 'base64url'));
}
