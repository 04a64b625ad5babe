import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { lstat, mkdtemp, readdir, readFile, readlink, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { type Header, pack } from 'tar-stream';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { parseDigest } from '#bundle/digest.ts';
import { openRegistry, type Registry } from '../registry/client.ts';
import { parseReference } from '../registry/reference.ts';
import { startRegistry, type TestRegistry } from '../registry/testdata/docker-registry.ts';
import { openStore } from '../store/local.ts';
import type { Store } from '../store/store.ts';
import { obtainOciTree } from './oci.ts';
import { openToolRoot, type ToolRoot } from './tool-root.ts';

const cachePath = fileURLToPath(new URL('../../.boottorrent-test/tools', import.meta.url));
let directory = '';
let store: Store;
let toolRoot: ToolRoot;
let registry: TestRegistry;
let repository: Registry;
let workPath = '';

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'boottorrent-oci-'));
  store = await openStore(join(directory, 'store'));
  toolRoot = await openToolRoot({ cachePath });
  registry = await startRegistry();
  repository = openRegistry({
    reference: parseReference(`${registry.host}/team/node:1`),
    access: 'push',
    allowedHosts: ['127.0.0.1'],
  });
});
afterAll(async () => {
  repository?.close();
  await registry?.close();
  await rm(directory, { recursive: true, force: true });
});
beforeEach(async () => {
  workPath = await store.workDirectory();
});

type Entry = Partial<Header> & { readonly name: string; readonly content?: string };

async function tarOf(entries: readonly Entry[]): Promise<Buffer> {
  const tar = pack();
  for (const { content, ...header } of entries) tar.entry({ mtime: new Date(5000), ...header }, content ?? '');
  tar.finalize();
  return buffer(tar as AsyncIterable<Buffer>);
}

function ref(bytes: Buffer) {
  return { digest: parseDigest(createHash('sha256').update(bytes).digest('hex')), sizeBytes: bytes.length };
}

async function put(bytes: Buffer): Promise<{ digest: string; size: number }> {
  await repository.putBlob(ref(bytes), { bytes });
  return { digest: `sha256:${ref(bytes).digest}`, size: bytes.length };
}

interface Packed {
  readonly bytes: Buffer;
  readonly mediaType: string;
  readonly plain: Buffer;
}

const kind = 'application/vnd.oci.image.layer.v1.tar';
async function layer(entries: readonly Entry[], compression: '' | '+gzip' | '+zstd' = '+gzip'): Promise<Packed> {
  const plain = await tarOf(entries);
  const compress = { '': (one: Buffer) => one, '+gzip': gzipSync, '+zstd': zstdCompressSync } as const;
  return { plain, bytes: compress[compression](plain), mediaType: `${kind}${compression}` };
}

async function push(layers: readonly Packed[], change: { architecture?: string; diffIds?: readonly string[] } = {}) {
  const diffs = layers.map(({ plain }) => `sha256:${ref(plain).digest}`);
  const { architecture = 'amd64', diffIds = diffs } = change;
  const config = await put(
    Buffer.from(JSON.stringify({ os: 'linux', architecture, rootfs: { type: 'layers', diff_ids: diffIds } })),
  );
  const descriptors = [];
  for (const { bytes, mediaType } of layers) descriptors.push({ mediaType, ...(await put(bytes)) });
  const mediaType = 'application/vnd.oci.image.manifest.v1+json';
  const manifest = {
    schemaVersion: 2,
    mediaType,
    config: { mediaType: 'application/vnd.oci.image.config.v1+json', ...config },
    layers: descriptors,
  };
  const bytes = Buffer.from(JSON.stringify(manifest));
  const digest = await repository.putManifest('1', { mediaType, bytes });
  return { digest, sizeBytes: bytes.length };
}

async function unpack(layers: readonly Packed[], change = {}) {
  const { digest } = await push(layers, change);
  return obtainOciTree({ repository, digest, arch: 'amd64', toolRoot, workPath });
}

function listing(): string[] {
  return execFileSync('find', ['.', '-mindepth', '1', '-printf', '%P %y %m %U\n'], {
    cwd: join(workPath, 'root'),
    encoding: 'utf8',
  })
    .trim()
    .split('\n')
    .toSorted();
}

it('obtainOciTree() lays layers over each other, with what the upper ones strike out', async () => {
  const { epoch } = await unpack([
    await layer([
      { name: 'etc/', type: 'directory', mode: 0o755 },
      { name: 'etc/a', content: 'a', mode: 0o644 },
      { name: 'etc/gone', content: 'x' },
      { name: 'opt/one', content: '1' },
      { name: 'opt/two', content: '2' },
      { name: 'was-folder/file', content: 'x' },
      { name: 'was-link', type: 'symlink', linkname: 'etc' },
      { name: 'bin/su', content: 'su', mode: 0o4755, uid: 0 },
    ]),
    await layer(
      [
        { name: './etc/.wh.gone', content: '' },
        { name: 'opt/', type: 'directory', mode: 0o700 },
        { name: 'opt/.wh..wh..opq', content: '' },
        { name: 'opt/three', content: '3', uid: 1000, gid: 1000 },
        { name: 'was-folder', content: 'a file now' },
        { name: 'was-link/', type: 'directory', mode: 0o755 },
        { name: 'was-link/in', content: 'in' },
        { name: 'etc/hard', type: 'link', linkname: 'etc/a' },
        { name: 'dev/sda', type: 'block-device', devmajor: 8, devminor: 0 },
        { name: '.wh.never-was', content: '' },
      ],
      '+zstd',
    ),
    await layer([{ name: 'etc/a', content: 'newer', mtime: new Date(9000) }], ''),
  ]);
  expect(epoch).toBe(9);
  expect(listing()).toEqual([
    'bin d 755 0',
    'bin/su f 4755 0',
    'dev d 755 0',
    'etc d 755 0',
    'etc/a f 644 0',
    'etc/hard f 644 0',
    'opt d 700 0',
    'opt/three f 644 1000',
    'was-folder f 644 0',
    'was-link d 755 0',
    'was-link/in f 644 0',
  ]);
  const read = (path: string) => readFile(join(workPath, 'root', path), 'utf8');
  expect([await read('etc/a'), await read('etc/hard'), await read('was-folder')]).toEqual(['newer', 'a', 'a file now']);
});

it('obtainOciTree() keeps everything inside the tree, whatever the links say', async () => {
  // Files of this test alone: that is all that is lost or written where the protection is missing.
  const own = `boottorrent-${process.pid}`;
  const [canary, mark] = [`/dev/shm/${own}-canary`, `/dev/shm/${own}-mark`];
  await writeFile(canary, 'alive');
  try {
    await unpack([
      await layer([
        { name: 'devices', type: 'symlink', linkname: '/dev/shm' },
        { name: 'up', type: 'symlink', linkname: '../../../../../../../../../dev/shm' },
        { name: 'dev/shm/', type: 'directory' },
        { name: 'dev/shm/kept', content: 'k' },
      ]),
      await layer([
        { name: `devices/${own}-mark`, content: 'x' },
        { name: 'up/mine', content: 'x' },
        { name: `devices/.wh.${own}-canary`, content: '' },
      ]),
    ]);
    expect(await readFile(canary, 'utf8')).toBe('alive');
    await expect(lstat(mark)).rejects.toThrow('ENOENT');
    await expect(lstat('/dev/shm/mine')).rejects.toThrow('ENOENT');
  } finally {
    for (const path of [canary, mark, '/dev/shm/mine']) await rm(path, { force: true });
  }
  expect((await readdir(join(workPath, 'root/dev/shm'))).toSorted()).toEqual([`${own}-mark`, 'kept', 'mine']);
  expect(await readlink(join(workPath, 'root/up'))).toContain('../dev');
});

it.each<[string, readonly Entry[], string]>([
  ['a name that climbs', [{ name: 'a/../../b', content: 'x' }], 'ARCHIVE_PATH_UNSAFE'],
  ['a hard link that climbs', [{ name: 'b', type: 'link', linkname: '../../etc/passwd' }], 'ARCHIVE_PATH_UNSAFE'],
  ['a hard link to nothing', [{ name: 'b', type: 'link', linkname: 'etc/passwd' }], 'ARCHIVE_INVALID'],
  ['a way into the tools', [{ name: '.boottorrent/usr/bin/tar', content: 'x' }], 'ARCHIVE_INVALID'],
])('obtainOciTree() refuses %s', async (_, entries, code) => {
  await expect(unpack([await layer(entries)])).rejects.toMatchObject({ code });
});

it('obtainOciTree() refuses a layer that is not what the configuration says, is cut off, or swells', async () => {
  const good = await layer([{ name: 'a', content: 'a' }]);
  const other = [`sha256:${'0'.repeat(64)}`];
  await expect(unpack([good], { diffIds: other })).rejects.toMatchObject({ code: 'ARCHIVE_DIGEST_MISMATCH' });
  workPath = await store.workDirectory();
  const cut = { ...good, bytes: good.bytes.subarray(0, good.bytes.length - 20) };
  await expect(unpack([cut])).rejects.toMatchObject({ code: 'ARCHIVE_INVALID' });
  workPath = await store.workDirectory();
  const zeros = Buffer.alloc(300 * 1024 ** 2);
  const bomb = { plain: zeros, bytes: gzipSync(zeros), mediaType: `${kind}+gzip` };
  await expect(unpack([bomb])).rejects.toMatchObject({ code: 'ARCHIVE_TOO_LARGE' });
}, 60_000);

it('obtainOciTree() takes the image of its architecture out of an index, and says which there are', async () => {
  const manifest = await push([await layer([{ name: 'a', content: 'a' }])]);
  const mediaType = 'application/vnd.oci.image.index.v1+json';
  const entry = {
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    digest: `sha256:${manifest.digest}`,
    size: manifest.sizeBytes,
  };
  const manifests = [{ ...entry, platform: { os: 'linux', architecture: 'amd64' } }];
  const digest = await repository.putManifest('index', {
    mediaType,
    bytes: Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, manifests })),
  });
  await obtainOciTree({ repository, digest, arch: 'amd64', toolRoot, workPath });
  expect(await readFile(join(workPath, 'root/a'), 'utf8')).toBe('a');
  workPath = await store.workDirectory();
  await expect(obtainOciTree({ repository, digest, arch: 'arm64', toolRoot, workPath })).rejects.toMatchObject({
    code: 'OCI_PLATFORM_MISSING',
    message: 'Cannot use the container image: it is for linux/amd64, expected linux/arm64',
  });
});
