import { expect, test } from 'vitest';
import {
  createSignature,
  findSecretKeys,
  formatPublicKey,
  formatPublicKeyFile,
  formatSecretKeyFile,
  formatSignature,
  parsePublicKey,
  parseSecretKey,
  parseSignature,
  verifySignature,
} from '#bundle/signature.ts';
import { generateSecretKey, nodeSigner, nodeVerifier } from './ed25519.ts';

const key = generateSecretKey();
const message = Buffer.from('the catalog\n');
const trustedComment = 'boottorrent catalog site=lab serial=7';
const text = formatSignature(createSignature(message, { key, trustedComment, signer: nodeSigner }));
const options = { keys: [key.publicKey], verifier: nodeVerifier };

test('verifySignature() accepts what createSignature() made, and gives the trusted comment', () => {
  expect(verifySignature(message, text, options)).toEqual({ trustedComment, keyId: key.keyId });
});

test('verifySignature() refuses every changed byte of the message', () => {
  for (let at = 0; at < message.length; at++) {
    const changed = Buffer.from(message);
    changed[at] = (changed[at] ?? 0) ^ 1;
    expect(() => verifySignature(changed, text, options)).toThrow(
      expect.objectContaining({ code: 'BUNDLE_SIGNATURE_INVALID' }),
    );
  }
});

test('verifySignature() refuses a changed trusted comment', () => {
  expect(() => verifySignature(message, text.replace('serial=7', 'serial=8'), options)).toThrow(
    expect.objectContaining({ code: 'BUNDLE_SIGNATURE_INVALID' }),
  );
});

test('verifySignature() refuses a key that is not trusted, and one that only claims the id', () => {
  const other = generateSecretKey();
  expect(() => verifySignature(message, text, { ...options, keys: [other.publicKey] })).toThrow(
    expect.objectContaining({ code: 'BUNDLE_KEY_UNKNOWN' }),
  );
  const impostor = { ...other.publicKey, keyId: key.keyId };
  expect(() => verifySignature(message, text, { ...options, keys: [impostor] })).toThrow(
    expect.objectContaining({ code: 'BUNDLE_SIGNATURE_INVALID' }),
  );
});

test.each([
  ['nothing', ''],
  ['a missing line', text.split('\n').slice(0, 3).join('\n')],
  ['a line too many', `${text}more\n`],
  ['the legacy algorithm', text.replace(/\nRU/, '\nRW')],
  ['a short signature', text.replace(/\nRU.{8}/, '\nRU')],
  ['a control character in the comment', text.replace('site=lab', 'site=\u001blab')],
])('parseSignature() refuses %s', (_, broken) => {
  expect(() => parseSignature(broken)).toThrow(expect.objectContaining({ code: 'BUNDLE_SIGNATURE_INVALID' }));
});

test('key files are read back as they were written', () => {
  expect(parsePublicKey(formatPublicKey(key.publicKey))).toEqual(key.publicKey);
  expect(parsePublicKey(formatPublicKeyFile(key.publicKey))).toEqual(key.publicKey);
  expect(parseSecretKey(formatSecretKeyFile(key))).toEqual(key);
});

test('parsePublicKey() and parseSecretKey() refuse each other', () => {
  expect(() => parsePublicKey(formatSecretKeyFile(key))).toThrow(
    expect.objectContaining({ code: 'PUBLIC_KEY_INVALID' }),
  );
  expect(() => parseSecretKey(formatPublicKeyFile(key.publicKey))).toThrow(
    expect.objectContaining({ code: 'SECRET_KEY_INVALID' }),
  );
});

test('findSecretKeys() names the lines of secret keys and of nothing else', () => {
  expect(findSecretKeys(`key: |\n  ${formatSecretKeyFile(key).split('\n')[1]}\n`)).toEqual([2]);
  expect(findSecretKeys(`${formatPublicKeyFile(key.publicKey)}${text}`)).toEqual([]);
});

test('parseSecretKey() refuses a key with a password, findSecretKeys() finds it', () => {
  // `Sc` in place of the two zero bytes: the form that "minisign -G" without -W writes.
  const locked = formatSecretKeyFile(key).replace('RWQAAEIy', 'RWRTY0Iy');
  expect(() => parseSecretKey(locked)).toThrow(expect.objectContaining({ code: 'SECRET_KEY_ENCRYPTED' }));
  expect(findSecretKeys(locked)).toEqual([2]);
});
