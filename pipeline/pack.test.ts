import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { appendFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import bencode from 'bencode';
import createTorrent from 'create-torrent';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { parseManifest } from '#bundle/manifest.ts';
import { parseMetainfo } from '#bundle/metainfo.ts';
import { openStore } from '#store/local.ts';
import type { Store } from '#store/store.ts';
import { packBundle } from './pack.ts';
import type { SourceFile } from './source/source.ts';
import { digestOf } from './store/digest.ts';

let directory: string;
let store: Store;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'bt-pack-'));
  store = await openStore(join(directory, 'store'));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

// Not a multiple of the piece length, so that pieces span files and the last one is short.
const kernel = Buffer.alloc(300_000, 'kernel');
const initrd = Buffer.alloc(700_001, 'initrd');

async function sources(): Promise<readonly SourceFile[]> {
  const work = await store.workDirectory();
  await writeFile(join(work, 'a'), kernel);
  await writeFile(join(work, 'b'), initrd);
  return [
    { name: 'vmlinuz', role: 'kernel', path: join(work, 'a') },
    { name: 'initrd.img', role: 'initrd', path: join(work, 'b') },
  ];
}

const about = { kind: 'image', name: 'demo', arch: 'amd64', method: 'kexec' } as const;

test('packBundle() names every file in the manifest, and all of them in the torrent', async () => {
  const release = await packBundle(store, { ...about, files: await sources() });
  const manifest = parseManifest(String(await store.readBlob(release.manifest.digest, 10_000)));
  expect(manifest.files.map(({ name, role, sizeBytes }) => [name, role, sizeBytes])).toEqual([
    ['initrd.img', 'initrd', 700_001],
    ['vmlinuz', 'kernel', 300_000],
    ['zeros-after-0.pad', 'pad', 86_431],
  ]);
  for (const file of manifest.files) await store.verifyBlob({ digest: file.sha256, sizeBytes: file.sizeBytes });
  const metainfo = parseMetainfo(await store.readBlob(release.torrent?.digest ?? digestOf(''), 10_000));
  expect(metainfo.files.map(({ name }) => name)).toEqual(['initrd.img', 'zeros-after-0.pad', 'vmlinuz']);
  expect(release.sizeBytes).toBe(1_086_432);
});

test('packBundle() twice is the same bundle, whatever order the files come in', async () => {
  const first = await packBundle(store, { ...about, files: await sources() });
  const second = await packBundle(store, { ...about, files: (await sources()).toReversed() });
  expect(second).toEqual(first);
});

test('packBundle() of a bootstrap makes no torrent: firmware fetches its files', async () => {
  const { method: _, ...rest } = about;
  const release = await packBundle(store, { ...rest, kind: 'bootstrap', files: await sources() });
  expect(release).toMatchObject({ sizeBytes: 0 });
  expect(release.torrent).toBeUndefined();
  expect(parseManifest(String(await store.readBlob(release.manifest.digest, 10_000))).files.length).toBe(2);
});

test('makeTorrent() has the infohash that create-torrent computes of the same files in the same order', async () => {
  const release = await packBundle(store, { ...about, files: await sources() });
  const { files } = parseManifest(String(await store.readBlob(release.manifest.digest, 10_000)));
  const { files: laid } = parseMetainfo(await store.readBlob(release.torrent?.digest ?? digestOf(''), 10_000));
  const blobs = laid.map(({ name }) => {
    const content = readFileSync(store.blobPath(files.find((file) => file.name === name)?.sha256 ?? digestOf('')));
    return Object.assign(content, { name });
  });
  const options = { name: 'demo', private: true, pieceLength: 256 * 1024, announceList: [] };
  const theirs = await new Promise<Uint8Array>((resolve, reject) => {
    createTorrent(blobs as never, options, (error, torrent) => (error ? reject(error) : resolve(torrent)));
  });
  const { info } = bencode.decode(theirs);
  expect(release.torrent?.infoHash).toBe(createHash('sha1').update(bencode.encode(info)).digest('hex'));
});

test('packBundle() gives an unchanged file unchanged pieces, whatever becomes of the file before it', async () => {
  const piecesOf = async (changed: Buffer) => {
    const files = await sources();
    await writeFile(files[1]?.path ?? '', changed);
    const { torrent } = await packBundle(store, { ...about, files });
    const metainfo = parseMetainfo(await store.readBlob(torrent?.digest ?? digestOf(''), 10_000));
    const before = metainfo.files.findIndex(({ name }) => name === 'vmlinuz');
    const startBytes = metainfo.files.slice(0, before).reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    expect(startBytes % metainfo.pieceLengthBytes).toBe(0);
    return Buffer.from(metainfo.pieces.subarray((startBytes / metainfo.pieceLengthBytes) * 20)).toString('hex');
  };
  const pieces = await piecesOf(initrd);
  expect(pieces.length).toBe(2 * 40);
  expect(await piecesOf(Buffer.alloc(900_001, 'longer'))).toBe(pieces);
  expect(await piecesOf(Buffer.alloc(512 * 1024, 'no pad'))).toBe(pieces);
});

test('packBundle() refuses a file that changes while it is packed', async () => {
  const files = await sources();
  const racing: Store = {
    ...store,
    putFile: async (path, options) => {
      await appendFile(path, 'more');
      return store.putFile(path, options);
    },
  };
  await expect(packBundle(racing, { ...about, files })).rejects.toMatchObject({ code: 'FILE_CHANGED' });
});
