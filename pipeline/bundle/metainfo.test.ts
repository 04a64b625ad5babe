import { createHash } from 'node:crypto';
import createTorrent from 'create-torrent';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Bencoded, bytesOf, decodeBencode, encodeBencode, textOf } from './bencode.ts';
import { Fault } from './fault.ts';
import {
  checkMetainfo,
  encodeMetainfo,
  type MetainfoParts,
  parseMetainfo,
  pieceLengthFor,
  withAnnounce,
} from './metainfo.ts';

const kib = 1024;
const parts: MetainfoParts = {
  name: 'debian',
  pieceLengthBytes: 256 * kib,
  files: [
    { name: 'rootfs.squashfs', sizeBytes: 600 * kib },
    { name: 'empty', sizeBytes: 0 },
    { name: 'vmlinuz-6.12', sizeBytes: 300 * kib },
  ],
  pieces: new Uint8Array(4 * 20).fill(7),
};

/** The torrent of `parts` with `change` applied to its info dictionary. */
function torrentWith(change: (info: Map<string, Bencoded>, root: Map<string, Bencoded>) => void): Uint8Array {
  const root = new Map(decodeBencode(encodeMetainfo(parts)) as ReadonlyMap<string, Bencoded>);
  const info = new Map(root.get('info') as ReadonlyMap<string, Bencoded>);
  root.set('info', info);
  change(info, root);
  return encodeBencode(root);
}

function file(length: Bencoded, ...path: string[]): Bencoded {
  return new Map<string, Bencoded>([
    ['length', length],
    ['path', path.map(bytesOf)],
  ]);
}

test('parseMetainfo() reads back what encodeMetainfo() wrote', () => {
  const names = fc.uniqueArray(fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._+-]{0,20}$/), { minLength: 1, maxLength: 5 });
  const any = fc.record({
    names,
    sizeBytes: fc.integer({ min: 1, max: 2 ** 22 }),
    log2: fc.integer({ min: 14, max: 24 }),
  });
  fc.assert(
    fc.property(any, ({ names, sizeBytes, log2 }) => {
      const files = names.map((name) => ({ name, sizeBytes }));
      const pieceCount = Math.ceil((names.length * sizeBytes) / 2 ** log2);
      const one = { name: 'a', pieceLengthBytes: 2 ** log2, files, pieces: new Uint8Array(pieceCount * 20).fill(1) };
      expect(parseMetainfo(encodeMetainfo(one))).toMatchObject({ ...one, pieceCount });
    }),
  );
});

test('encodeMetainfo() makes the infohash that create-torrent makes of the same files', async () => {
  // Without the empty file: create-torrent 6.1.3 hashes the last piece wrongly where there is one.
  const files = parts.files.filter((one) => one.sizeBytes > 0);
  const contents = files.map((one, index) => Buffer.alloc(one.sizeBytes, index + 1));
  const inputs = contents.map((bytes, index) => Object.assign(bytes, { name: files[index]?.name ?? '' }));
  const foreign = await new Promise<Uint8Array>((resolve, reject) => {
    const options = { name: 'debian', private: true, announceList: [], pieceLength: 256 * kib };
    createTorrent(inputs, options, (error, torrent) => (error ? reject(error) : resolve(torrent)));
  });
  const all = Buffer.concat(contents);
  const starts = [0, 1, 2, 3].map((index) => index * 256 * kib);
  const hashes = starts.map((at) =>
    createHash('sha1')
      .update(all.subarray(at, at + 256 * kib))
      .digest(),
  );
  const ours = encodeMetainfo({ ...parts, files, pieces: new Uint8Array(Buffer.concat(hashes)) });
  expect(parseMetainfo(foreign).infoBytes).toEqual(parseMetainfo(ours).infoBytes);
});

test('withAnnounce() sets or replaces the tracker and nothing else', () => {
  const bytes = encodeMetainfo(parts);
  const first = withAnnounce(bytes, 'http://10.20.0.1:8480/announce/aa');
  const second = withAnnounce(first, 'http://10.20.0.1:8480/announce/bb');
  expect(parseMetainfo(bytes).announce).toBeUndefined();
  expect(parseMetainfo(second)).toEqual({ ...parseMetainfo(bytes), announce: 'http://10.20.0.1:8480/announce/bb' });
  expect(textOf(second)).not.toContain('/aa');
});

test.each<[string, (info: Map<string, Bencoded>, root: Map<string, Bencoded>) => void]>([
  ['a parent directory', (info) => info.set('files', [file(4 * 256 * kib, '..')])],
  ['a path of two segments', (info) => info.set('files', [file(4 * 256 * kib, 'a', 'b')])],
  ['a slash in a segment', (info) => info.set('files', [file(4 * 256 * kib, 'a/b')])],
  ['a path without segments', (info) => info.set('files', [file(4 * 256 * kib)])],
  ['a hidden file', (info) => info.set('files', [file(4 * 256 * kib, '.a')])],
  ['two files of one name', (info) => info.set('files', [file(512 * kib, 'a'), file(512 * kib, 'a')])],
  ['a negative length', (info) => info.set('files', [file(-1, 'a'), file(1024 * kib + 1, 'b')])],
  ['a length that is a string', (info) => info.set('files', [file(bytesOf('1'), 'a')])],
  ['no file', (info) => info.set('files', [])],
  ['only empty files', (info) => info.set('files', [file(0, 'a')]).set('pieces', new Uint8Array(0))],
  ['a directory that leaves', (info) => info.set('name', bytesOf('../etc'))],
  ['a second name in UTF-8', (info) => info.set('name.utf-8', bytesOf('../etc'))],
  ['a length beside files', (info) => info.set('length', 5)],
  ['BEP 52 metadata', (info) => info.set('meta version', 2)],
  ['a public torrent', (info) => info.set('private', 0)],
  ['no private key', (info) => info.delete('private')],
  ['a piece too few', (info) => info.set('pieces', new Uint8Array(60))],
  ['a piece too many', (info) => info.set('pieces', new Uint8Array(100))],
  ['a cut piece hash', (info) => info.set('pieces', new Uint8Array(79))],
  ['a piece length of 8 KiB', (info) => info.set('piece length', 8 * kib)],
  ['a piece length that is no power of two', (info) => info.set('piece length', 300 * kib)],
  ['a negative piece length', (info) => info.set('piece length', -256 * kib)],
  ['web seeds', (_, root) => root.set('url-list', bytesOf('http://10.9.9.9/'))],
  ['nodes of a DHT', (_, root) => root.set('nodes', [])],
  ['a list of trackers', (_, root) => root.set('announce-list', [[bytesOf('http://10.9.9.9/')]])],
  ['no info', (_, root) => root.delete('info')],
  ['an info that is a list', (_, root) => root.set('info', [])],
])('parseMetainfo() refuses %s', (_, change) => {
  expect(() => parseMetainfo(torrentWith(change))).toThrow(expect.objectContaining({ code: 'TORRENT_INVALID' }));
});

test('parseMetainfo() returns a value or its fault for a torrent with any byte changed, removed or added', () => {
  const bytes = encodeMetainfo(parts);
  const change = fc.record({ at: fc.nat(bytes.length - 1), drop: fc.nat(3), put: fc.uint8Array({ maxLength: 3 }) });
  fc.assert(
    fc.property(change, ({ at, drop, put }) => {
      const changed = Uint8Array.from([...bytes.subarray(0, at), ...put, ...bytes.subarray(at + drop)]);
      try {
        parseMetainfo(changed);
      } catch (error) {
        if (!(error instanceof Fault)) throw error;
        expect(error.code).toBe('TORRENT_INVALID');
      }
    }),
    { numRuns: 3000 },
  );
});

test('checkMetainfo() accepts the same files in any order', () => {
  checkMetainfo(parseMetainfo(encodeMetainfo(parts)), [...parts.files].reverse());
});

test.each([
  ['another length', parts.files.map((one) => ({ ...one, sizeBytes: one.sizeBytes + 1 }))],
  ['another name', parts.files.map((one, index) => (index === 0 ? { ...one, name: 'other' } : one))],
  ['a file of the torrent that is not wanted', parts.files.slice(1)],
  ['a wanted file that the torrent lacks', [...parts.files, { name: 'initrd', sizeBytes: 1 }]],
])('checkMetainfo() refuses %s', (_, files) => {
  const metainfo = parseMetainfo(encodeMetainfo(parts));
  expect(() => checkMetainfo(metainfo, files)).toThrow(expect.objectContaining({ code: 'TORRENT_MISMATCH' }));
});

test('pieceLengthFor() grows with the size', () => {
  expect([1, 64 * kib * kib, 1024 * kib * kib].map(pieceLengthFor)).toEqual([256 * kib, 1024 * kib, 4096 * kib]);
});
