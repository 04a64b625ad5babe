import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import {
  createSignature,
  findSecretKeys,
  formatPublicKeyFile,
  formatSecretKeyFile,
  formatSignature,
  parsePublicKey,
  parseSecretKey,
  verifySignature,
} from '#bundle/signature.ts';
import { generateSecretKey, nodeSigner, nodeVerifier } from './ed25519.ts';

const directory = mkdtempSync(join(tmpdir(), 'bt-minisign-'));
const at = (name: string) => join(directory, name);
const read = (name: string) => readFileSync(at(name), 'utf8');
const key = generateSecretKey();
const message = Buffer.from('{"site":"lab"}\n');
writeFileSync(at('ours.key'), formatSecretKeyFile(key), { mode: 0o600 });
writeFileSync(at('ours.pub'), formatPublicKeyFile(key.publicKey));
writeFileSync(at('m'), message);
afterAll(() => rmSync(directory, { recursive: true }));

test('minisign accepts our signature and prints its trusted comment, and refuses a changed message', () => {
  const signature = createSignature(message, { key, trustedComment: 'serial=7', signer: nodeSigner });
  writeFileSync(at('m.minisig'), formatSignature(signature));
  const verify = ['-V', '-Q', '-H', '-p', at('ours.pub'), '-x', at('m.minisig')];
  expect(execFileSync('minisign', [...verify, '-m', at('m')], { encoding: 'utf8' })).toBe('serial=7\n');
  writeFileSync(at('changed'), '{"site":"lab2"}\n');
  expect(spawnSync('minisign', [...verify, '-m', at('changed')]).status).not.toBe(0);
});

test('minisign signs with our secret key, and we accept that', () => {
  execFileSync('minisign', ['-S', '-s', at('ours.key'), '-m', at('m'), '-x', at('theirs.minisig'), '-t', 'a b']);
  const checked = verifySignature(message, read('theirs.minisig'), { keys: [key.publicKey], verifier: nodeVerifier });
  expect(checked.trustedComment).toBe('a b');
});

test('minisign makes our public key file out of our secret key file', () => {
  execFileSync('minisign', ['-R', '-s', at('ours.key'), '-p', at('again.pub')]);
  expect(read('again.pub')).toBe(read('ours.pub'));
});

test('a key pair of minisign works here, and its secret keys are recognised', () => {
  execFileSync('minisign', ['-G', '-W', '-s', at('theirs.key'), '-p', at('theirs.pub')]);
  const theirs = parseSecretKey(read('theirs.key'));
  expect(theirs.publicKey).toEqual(parsePublicKey(read('theirs.pub')));
  expect(formatPublicKeyFile(theirs.publicKey)).toBe(read('theirs.pub'));
  expect(findSecretKeys(read('theirs.key'))).toEqual([2]);
});
