import { execFileSync } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { parseManifest } from '#bundle/manifest.ts';
import { readDefinitions } from '#definition/definitions.ts';
import { resolveCommit, revisionFiles } from '#definition/revision-files.ts';
import { generateSecretKey } from '#store/ed25519.ts';
import { openStore } from '#store/local.ts';
import type { Store } from '#store/store.ts';
import { build } from './build.ts';
import { packBundle } from './pack.ts';
import { nextSerial, publish } from './publish.ts';
import { openKeyPair, trustedKeys } from './sign.ts';
import { verifyPublished } from './verify.ts';

let directory: string;
let store: Store;
const key = generateSecretKey();
const keys = [key.publicKey];
const startMs = Date.UTC(2026, 0, 1);

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'bt-publish-'));
  store = await openStore(join(directory, 'store'));
  await put(
    'boot.config.yaml',
    'site: lab\nnetwork: { interface: eth1, dhcp: { mode: proxy } }\nmenu: { default: demo }\n',
  );
  await put('images/demo/image.yaml', image(''));
  await put('images/demo/linux', 'kernel 1');
  await put('images/demo/initrd.gz', 'initrd 1');
  git('init', '-q', '-b', 'main');
  commit('first');
});
afterEach(() => rm(directory, { recursive: true, force: true }));

test('a commit becomes a signed catalog whose every byte verifies', async () => {
  const { published, built, isNew } = await publishHead(startMs);
  expect(isNew).toBe(true);
  expect(built).toEqual(['demo']);
  expect(published).toMatchObject({ revision: git('rev-parse', 'HEAD').trim(), serial: startMs / 1000 });
  const verified = await verifyPublished(store, keys);
  expect(verified?.catalog.images.map(({ name, cmdline }) => [name, cmdline])).toEqual([['demo', '']]);
  expect(verified?.fileCount).toBe(3);
});

test('publishing the same commit again changes nothing, not even the clock does', async () => {
  const first = await publishHead(startMs);
  const second = await publishHead(startMs + 3_600_000);
  expect(second).toMatchObject({ isNew: false, published: first.published, built: [] });
});

test('another command line is published without building anything', async () => {
  const before = await publishHead(startMs);
  await put('images/demo/image.yaml', image('quiet'));
  commit('cmdline');
  const after = await publishHead(startMs);
  expect(after.built).toEqual([]);
  expect(after.published.serial).toBe(before.published.serial + 1);
  expect(after.images[0]).toMatchObject({ cmdline: 'quiet', manifest: before.images[0]?.manifest });
});

test('a revert is published with a higher serial and the old digests, without building anything', async () => {
  const first = await publishHead(startMs);
  await put('images/demo/linux', 'kernel 2');
  commit('second');
  const second = await publishHead(startMs);
  expect(second.built).toEqual(['demo']);
  expect(second.images[0]?.torrent?.infoHash).not.toBe(first.images[0]?.torrent?.infoHash);
  git('-c', 'user.name=a', '-c', 'user.email=a@b', 'revert', '--no-edit', 'HEAD');
  const third = await publishHead(startMs);
  expect(third.built).toEqual([]);
  expect(third.images).toEqual(first.images);
  expect(third.published.serial).toBe(second.published.serial + 1);
});

test('what is gone from the store is built again', async () => {
  const { images } = await publishHead(startMs);
  await rm(store.blobPath(await kernelOf(images[0]?.manifest.digest)));
  expect((await publishHead(startMs)).built).toEqual(['demo']);
  await verifyPublished(store, keys);
});

test('another key publishes the same commit anew', async () => {
  await publishHead(startMs);
  const other = generateSecretKey();
  expect((await publishHead(startMs, other)).isNew).toBe(true);
  await expect(verifyPublished(store, keys)).rejects.toMatchObject({ code: 'BUNDLE_KEY_UNKNOWN' });
  await verifyPublished(store, [other.publicKey]);
});

test('verifyPublished() notices a byte changed in any blob, whatever is remembered of it', async () => {
  const { published, images } = await publishHead(startMs);
  const [release] = images;
  if (!release?.torrent) throw new TypeError('no image');
  const blobs = {
    catalog: published.catalog,
    signature: published.signature,
    manifest: release.manifest.digest,
    torrent: release.torrent.digest,
    kernel: await kernelOf(release.manifest.digest),
  };
  for (const [name, digest] of Object.entries(blobs)) {
    const path = store.blobPath(digest);
    const whole = await readFile(path);
    const changed = Buffer.from(whole);
    changed[0] = (changed[0] ?? 0) ^ 1;
    await chmod(path, 0o644);
    await writeFile(path, changed);
    const code = `${name === 'kernel' ? 'BLOB' : name.toUpperCase()}_DIGEST_MISMATCH`;
    await expect(verifyPublished(store, keys), name).rejects.toMatchObject({ code });
    await writeFile(path, whole);
  }
  await verifyPublished(store, keys);
});

test('nextSerial() rises with the clock, and without it', () => {
  expect(nextSerial(undefined, 5_999)).toBe(5);
  expect(nextSerial(3, 5_000)).toBe(5);
  expect(nextSerial(5, 5_000)).toBe(6);
  expect(nextSerial(9, 5_000)).toBe(10);
});

test('openKeyPair() makes one pair, however many ask at once, and never replaces it', async () => {
  const pairs = await Promise.all([1, 2, 3].map(() => openKeyPair(directory)));
  expect(pairs.filter(({ isNew }) => isNew).length).toBe(1);
  expect(new Set(pairs.map(({ key }) => key.keyId)).size).toBe(1);
  expect((await stat(join(directory, 'keys/minisign.key'))).mode & 0o777).toBe(0o600);
  expect((await stat(join(directory, 'keys'))).mode & 0o777).toBe(0o700);
  expect((await openKeyPair(directory)).key).toEqual(pairs[0]?.key);
});

test('trustedKeys() refuses to sign with a key that nodes do not trust', () => {
  expect(trustedKeys([], key)).toEqual([key.publicKey]);
  expect(() => trustedKeys(['RWTjGgoewPLHDzxTCLAkcTUVslVndA/WQeWTWljytUGWdYDYOFO+SoRr'], key)).toThrow(
    expect.objectContaining({ code: 'KEY_NOT_TRUSTED' }),
  );
});

async function publishHead(nowMs: number, signer = key) {
  const head = await resolveCommit(directory, 'HEAD');
  const files = await revisionFiles(directory, { revision: head.revision });
  try {
    const { definitions, faults } = await readDefinitions(files);
    if (!definitions) throw new AggregateError(faults);
    const result = await build({
      definitions,
      files,
      store,
      cachePath: join(directory, 'tools'),
      toolRoot: () => Promise.reject(new Error('files need no tools')),
      bootstrap: smallBootstrap,
    });
    const outcome = await publish({ ...result, definitions, commit: head, store, key: signer, nowMs });
    return { ...result, ...outcome };
  } finally {
    await files.close();
  }
}

async function smallBootstrap() {
  const path = join(await store.workDirectory(), 'modules.squashfs');
  await writeFile(path, 'modules');
  const files = [{ name: 'modules.squashfs', role: 'modules', path } as const];
  const about = { arch: 'amd64', kernelRelease: '6.12', files } as const;
  return {
    bootstrap: await packBundle(store, { ...about, kind: 'bootstrap', name: 'bootstrap', files: [] }),
    parts: [await packBundle(store, { ...about, kind: 'part', name: 'modules' })],
  };
}

async function kernelOf(manifest = ''): Promise<Parameters<Store['blobPath']>[0]> {
  const text = await readFile(store.blobPath(manifest as Parameters<Store['blobPath']>[0]), 'utf8');
  const kernel = parseManifest(text).files.find((file) => file.role === 'kernel');
  if (!kernel) throw new TypeError('no kernel');
  return kernel.sha256;
}

function image(cmdline: string): string {
  const files = '{ kernel: linux, initrd: initrd.gz }';
  return `title: Demo\narch: amd64\nmethod: kexec\nsource: { files: ${files} }\ncmdline: "${cmdline}"\n`;
}

async function put(path: string, text: string): Promise<void> {
  await mkdir(dirname(join(directory, path)), { recursive: true });
  await writeFile(join(directory, path), text);
}

function commit(message: string): void {
  git('add', 'boot.config.yaml', 'images');
  git('-c', 'user.name=a', '-c', 'user.email=a@b', 'commit', '-q', '-m', message);
}

function git(...argv: readonly string[]): string {
  return execFileSync('git', argv, { cwd: directory, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
}
