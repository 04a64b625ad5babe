import { mkdirSync } from 'node:fs';
import { afterAll, expect, it } from 'vitest';
import { encodeBase64 } from '#bundle/base64.ts';
import { type Catalog, formatCatalog, formatTrustedComment, type Release } from '#bundle/catalog.ts';
import { type Digest, type InfoHash, parseRevision } from '#bundle/digest.ts';
import { formatManifest, type Manifest, type ManifestFile } from '#bundle/manifest.ts';
import { encodeMetainfo, withAnnounce } from '#bundle/metainfo.ts';
import { createSignature, formatPublicKeyFile, formatSignature, type SecretKey } from '#bundle/signature.ts';
import { digestOf } from '#store/digest.ts';
import { generateSecretKey, nodeSigner } from '#store/ed25519.ts';
import { openFolderHost } from '../folder-host.ts';
import { verifyCatalog, verifyFile, verifyManifest, verifyTorrent } from './verify.ts';

const host = openFolderHost();
const keysPath = `${host.workPath}/keys`;
mkdirSync(keysPath);
const key = generateSecretKey();
host.writeText(`${keysPath}/site.pub`, formatPublicKeyFile(key.publicKey));
afterAll(() => host.remove());

const bytes = Buffer.from('the root file system');
const file: ManifestFile = {
  name: 'rootfs.squashfs',
  role: 'rootfs',
  sizeBytes: bytes.length,
  sha256: digestOf(bytes),
};
const manifest: Manifest = {
  format: 1,
  kind: 'image',
  name: 'os',
  arch: 'amd64',
  method: 'switch-root',
  memoryBytes: bytes.length,
  files: [file],
};
const manifestText = formatManifest(manifest);
const release: Release = {
  name: 'os',
  arch: 'amd64',
  manifest: { digest: digestOf(manifestText), sizeBytes: manifestText.length },
  sizeBytes: bytes.length,
  torrent: { digest: 'f'.repeat(64) as Digest, sizeBytes: 1, infoHash: 'e'.repeat(40) as InfoHash },
};
const catalog: Catalog = {
  format: 1,
  site: 'lab',
  revision: parseRevision('1'.repeat(40)),
  committedAt: '2026-01-01T00:00:00Z',
  serial: 7,
  bootstraps: [],
  parts: [],
  images: [
    { ...release, title: 'Häuschen', start: { method: 'switch-root', modules: 'none' }, cmdline: '', memoryBytes: 1 },
  ],
  menu: { default: 'os', timeoutMs: 1, shell: false },
  swarm: { seedBudgetMs: 30_000 },
  groups: [],
};

function sign(text: string, { by = key, serial = 7 }: { by?: SecretKey; serial?: number } = {}) {
  const trustedComment = formatTrustedComment('lab', serial);
  const signature = createSignature(Buffer.from(text), { key: by, trustedComment, signer: nodeSigner });
  return { catalog: text, signature: formatSignature(signature) };
}

function torrent(
  files: readonly { name: string; sizeBytes: number }[],
  name = 'os',
  pieces = new Uint8Array(20),
): string {
  return encodeBase64(encodeMetainfo({ name, pieceLengthBytes: 16_384, files, pieces }));
}

const code = (expected: string) => expect.objectContaining({ code: expected });

it('verifyCatalog() believes what a key of this bootstrap signed', () => {
  expect(verifyCatalog(host, sign(formatCatalog(catalog)), keysPath)).toEqual(catalog);
});

it('verifyCatalog() refuses a changed byte', () => {
  const signed = sign(formatCatalog(catalog));
  const changed = { ...signed, catalog: signed.catalog.replace('switch-root', 'switch_root') };
  expect(() => verifyCatalog(host, changed, keysPath)).toThrow(code('BUNDLE_SIGNATURE_INVALID'));
});

it('verifyCatalog() refuses another key, and says so', () => {
  const signed = sign(formatCatalog(catalog), { by: generateSecretKey() });
  expect(() => verifyCatalog(host, signed, keysPath)).toThrow(code('BUNDLE_KEY_UNKNOWN'));
});

it('verifyCatalog() refuses another key that took our key’s id', () => {
  const thief = { ...generateSecretKey(), keyId: key.keyId };
  expect(() => verifyCatalog(host, sign(formatCatalog(catalog), { by: thief }), keysPath)).toThrow(
    code('BUNDLE_SIGNATURE_INVALID'),
  );
});

it('verifyCatalog() refuses a signature whose comment was changed', () => {
  const signed = sign(formatCatalog(catalog));
  const changed = { ...signed, signature: signed.signature.replace('serial=7', 'serial=8') };
  expect(() => verifyCatalog(host, changed, keysPath)).toThrow(code('BUNDLE_SIGNATURE_INVALID'));
});

it('verifyCatalog() refuses a catalog whose signature was made for another serial', () => {
  expect(() => verifyCatalog(host, sign(formatCatalog(catalog), { serial: 8 }), keysPath)).toThrow(
    code('CATALOG_SERIAL_MISMATCH'),
  );
});

it('verifyManifest() refuses a changed byte, of the same length or not', () => {
  expect(verifyManifest(host, release, manifestText)).toEqual(manifest);
  for (const text of [manifestText.replace('rootfs.', 'rootft.'), `${manifestText}\n`]) {
    expect(() => verifyManifest(host, release, text)).toThrow(code('MANIFEST_DIGEST_MISMATCH'));
  }
});

it('verifyFile() refuses a changed byte and another length', () => {
  const path = `${host.workPath}/file`;
  host.writeBytes(path, bytes);
  verifyFile(host, path, file);
  host.writeBytes(path, Buffer.from('the root file_system'));
  expect(() => verifyFile(host, path, file)).toThrow(code('FILE_DIGEST_MISMATCH'));
  host.writeBytes(path, bytes.subarray(1));
  expect(() => verifyFile(host, path, file)).toThrow(code('FILE_DIGEST_MISMATCH'));
  expect(() => verifyFile(host, `${path}-absent`, file)).toThrow(code('FILE_DIGEST_MISMATCH'));
});

it('verifyTorrent() refuses other files, another folder, other bytes, and what is no torrent', () => {
  const own = { name: file.name, sizeBytes: file.sizeBytes };
  const text = torrent([own]);
  const bytes = Buffer.from(text, 'base64');
  const signed = { digest: digestOf(bytes), sizeBytes: bytes.length, infoHash: 'e'.repeat(40) as InfoHash };
  const check = (text: string) => {
    const delivery = { manifest, files: [file], hint: { manifest: '', torrent: text }, torrent: signed };
    return verifyTorrent(host, delivery, 'http://10.0.0.1/announce/x');
  };
  expect(Buffer.from(check(text)).toString('latin1')).toContain('http://10.0.0.1/announce/x');
  const announced = withAnnounce(bytes, 'http://10.9.9.9/announce/y');
  expect(Buffer.from(check(encodeBase64(announced))).toString('latin1')).not.toContain('10.9.9.9');
  expect(() => check(torrent([{ ...own, sizeBytes: 5 }]))).toThrow(code('TORRENT_MISMATCH'));
  expect(() => check(torrent([own, { name: 'more', sizeBytes: 1 }]))).toThrow(code('TORRENT_MISMATCH'));
  expect(() => check(torrent([own], 'other'))).toThrow(code('TORRENT_MISMATCH'));
  expect(() => check(torrent([own], 'os', new Uint8Array(20).fill(1)))).toThrow(code('TORRENT_DIGEST_MISMATCH'));
  expect(() => check('AAAA')).toThrow(code('TORRENT_INVALID'));
  expect(() => check('not base64')).toThrow(code('TORRENT_INVALID'));
});
