import { chmod, mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Catalog, formatCatalog, type ImageRelease, type Release } from '#bundle/catalog.ts';
import type { Digest, InfoHash, Revision } from '#bundle/digest.ts';
import { formatManifest } from '#bundle/manifest.ts';
import { digestOf } from './digest.ts';
import { collectGarbage } from './gc.ts';
import type { InUse } from './in-use.ts';
import { keepInputs } from './keep-inputs.ts';
import { openStore } from './local.ts';
import type { Published, Store } from './store.ts';

let directory: string;
let store: Store;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'bt-gc-'));
  store = await openStore(join(directory, 'store'));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

const noUse: InUse = { sinceSerial: Number.MAX_SAFE_INTEGER, blobs: [], manifests: [], releases: [] };
const gc = (more: Partial<Parameters<typeof collectGarbage>[0]> = {}) =>
  collectGarbage({ store, keep: 3, inUse: noUse, dryRun: false, ...more });
const has = (content: string) => store.has(digestOf(content));
const startMs = Date.UTC(2026, 0, 1);
const dayMs = 86_400_000;

async function pack(name: string, content: string): Promise<Release> {
  const file = { name: 'disk', role: 'file' as const, ...(await putNamed(content)) };
  const about = { format: 1, kind: 'image', name, arch: 'amd64', method: 'exec', memoryBytes: 1 } as const;
  const manifest = await store.putBytes(Buffer.from(formatManifest({ ...about, files: [file] })));
  const torrent = await store.putBytes(Buffer.from(`torrent of ${name} ${content}`));
  const infoHash = 'a'.repeat(40) as InfoHash;
  return { name, arch: 'amd64', manifest, sizeBytes: file.sizeBytes, torrent: { ...torrent, infoHash } };
}

async function putNamed(content: string) {
  const { digest: sha256, sizeBytes } = await store.putBytes(Buffer.from(content));
  return { sha256, sizeBytes };
}

/** Publishes a catalog of images with these contents; one a day. */
async function publish(serial: number, contents: Readonly<Record<string, string>>): Promise<Published> {
  const releases = await Promise.all(Object.entries(contents).map(([name, content]) => pack(name, content)));
  const bootstrap = await pack('bootstrap', 'the bootstrap');
  const start: ImageRelease['start'] = { method: 'local' };
  const images = releases.map((one) => ({ ...one, title: one.name, start, cmdline: '', memoryBytes: 1 }));
  const catalog: Catalog = {
    ...{ format: 1, site: 'lab', revision: '0'.repeat(40) as Revision, committedAt: new Date(0).toISOString(), serial },
    ...{ bootstraps: [bootstrap], parts: [], images, groups: [], swarm: { seedBudgetMs: 0 } },
    menu: { default: 'a', timeoutMs: 0, shell: false },
  };
  const published = {
    catalog: (await store.putBytes(Buffer.from(formatCatalog(catalog)))).digest,
    signature: (await store.putBytes(Buffer.from(`signature ${serial}`))).digest,
    ...{ revision: catalog.revision, serial, publishedAt: new Date(startMs + serial * dayMs).toISOString() },
  };
  await store.publish(published);
  return published;
}

/** The contents that a catalog needs: all of them are there. */
async function isWhole({ catalog, signature }: Published, contents: readonly string[]): Promise<boolean> {
  const blobs = [catalog, signature, ...contents.map(digestOf), digestOf('the bootstrap')];
  return (await Promise.all(blobs.map((digest) => store.has(digest)))).every(Boolean);
}

test('collectGarbage() keeps the newest three catalogs whole, and removes what only older ones name', async () => {
  await store.putBytes(Buffer.from('of a build that was killed'));
  for (const serial of [1, 2, 3, 4, 5]) await publish(serial, { a: `a${serial}`, b: 'b' });
  const result = await gc();
  expect(result).toMatchObject({ keptCatalogs: 3, droppedCatalogs: 2 });
  expect(await Promise.all(['a1', 'a2', 'a3', 'a4', 'a5', 'b', 'of a build that was killed'].map(has))).toEqual([
    ...[false, false, true, true, true, true, false],
  ]);
  expect((await store.catalogs()).map(({ serial }) => serial)).toEqual([5, 4, 3]);
  // Of each of two: file, manifest, torrent, catalog and signature.
  expect(result.removedBlobs).toBe(11);
  expect(await gc()).toMatchObject({ removedBlobs: 0, droppedCatalogs: 0, keptBytes: result.keptBytes });
});

test('commits that change no image take no older version away', async () => {
  for (const serial of [1, 2, 3]) await publish(serial, { a: `a${serial}` });
  for (let serial = 4; serial < 20; serial++) await publish(serial, { a: 'a3' });
  await gc();
  expect(await Promise.all(['a1', 'a2', 'a3'].map(has))).toEqual([true, true, true]);
});

test('a bundle of a live boot stays, and of an older catalog what one image takes', async () => {
  const first = await publish(1, { a: 'a1', b: 'b1' });
  const manifest = (await pack('a', 'a1')).manifest.digest;
  for (const serial of [2, 3, 4, 5]) await publish(serial, { a: `a${serial}`, b: `b${serial}` });
  const second = (await pack('b', 'b2')).manifest.digest;
  await gc({ inUse: { ...noUse, manifests: [second], releases: [{ ...first, manifest }] } });
  expect(await Promise.all(['a1', 'b1', 'a2', 'b2', 'a3', 'b3'].map(has))).toEqual([
    true,
    false,
    false,
    true,
    true,
    true,
  ]);
  expect(await store.has(first.catalog)).toBe(true);
  expect(await Promise.all(['torrent of a a1', 'torrent of b b1'].map(has))).toEqual([true, true]);
});

test('what is given out now stays, and what was published since that was asked', async () => {
  for (const serial of [1, 2, 3, 4, 5, 6, 7]) await publish(serial, { a: `a${serial}` });
  await gc({ inUse: { ...noUse, sinceSerial: 3, blobs: [digestOf('a1')] } });
  expect(await Promise.all(['a1', 'a2', 'a3', 'a4'].map(has))).toEqual([true, false, true, true]);
});

test('inputs of builds stay as long as a kept catalog was made from them', async () => {
  for (const serial of [1, 2, 3, 4]) {
    const packages = ['old', 'new'].map((which) => `${which} package ${serial}`);
    for (const content of packages) await store.putBytes(Buffer.from(content));
    await keepInputs(store, packages.map(digestOf).join(' '));
    await store.writeBuild(digestOf(`inputs ${serial}`), await pack('a', `a${serial}`));
    // As long ago as the publish that follows.
    for (const name of await readdir(join(store.path, 'builds'))) await touchOnce(name, serial);
    await publish(serial, { a: `a${serial}` });
  }
  expect(await gc()).toMatchObject({ removedBuilds: 2 });
  expect(await Promise.all([1, 2, 3, 4].map((serial) => has(`old package ${serial}`)))).toEqual([
    false,
    true,
    true,
    true,
  ]);
  expect(await store.readBuild(digestOf('inputs 1'))).toBeUndefined();
  expect(await store.readBuild(digestOf('inputs 2'))).toMatchObject({ name: 'a' });
});

const touched = new Set<string>();
async function touchOnce(name: string, serial: number): Promise<void> {
  if (touched.has(name)) return;
  touched.add(name);
  const at = new Date(startMs + serial * dayMs - 3_600_000);
  await utimes(join(store.path, 'builds', name), at, at);
}

test('readBuild() counts as use', async () => {
  await store.writeBuild(digestOf('x'), { inputs: [] });
  await utimes(join(store.path, 'builds', `${digestOf('x')}.json`), 1, 1);
  await store.readBuild(digestOf('x'));
  for (const serial of [1, 2, 3, 4]) await publish(serial, { a: `a${serial}` });
  expect(await gc()).toMatchObject({ droppedCatalogs: 1, removedBuilds: 0 });
});

test('a dry run tells the same and removes nothing', async () => {
  for (const serial of [1, 2, 3, 4]) await publish(serial, { a: `a${serial}` });
  const told = await gc({ dryRun: true });
  expect(await has('a1')).toBe(true);
  expect(await store.catalogs()).toHaveLength(4);
  expect(await gc()).toEqual(told);
});

test('a kept catalog that cannot be read stops everything', async () => {
  const published = await publish(1, { a: 'a1' });
  await publish(2, { a: 'a2' });
  const path = store.blobPath(published.catalog);
  await chmod(path, 0o644);
  await writeFile(path, '{}');
  await store.putBytes(Buffer.from('rubbish'));
  await expect(gc()).rejects.toMatchObject({ code: 'GC_REFUSED' });
  expect(await has('rubbish')).toBe(true);
});

test('a publish that was killed before its last step takes no place, and nothing is removed before the first', async () => {
  await store.putBytes(Buffer.from('rubbish'));
  await gc();
  expect(await has('rubbish')).toBe(true);
  for (const serial of [1, 2, 3]) await publish(serial, { a: `a${serial}` });
  const last = await store.readPublished();
  await publish(4, { a: 'a4' });
  await writeFile(join(store.path, 'published'), JSON.stringify(last));
  expect(await gc()).toMatchObject({ keptCatalogs: 3, droppedCatalogs: 1 });
  expect(await Promise.all(['a1', 'a2', 'a3', 'a4'].map(has))).toEqual([true, true, true, false]);
});

test('whatever was published and is in use: all that is kept is whole', async () => {
  const content = fc.constantFrom('x', 'y', 'z', 'u', 'v');
  const steps = fc.array(fc.record({ a: content, b: content }), { minLength: 1, maxLength: 8 });
  await fc.assert(
    fc.asyncProperty(steps, fc.integer({ min: 1, max: 4 }), fc.nat(7), async (all, keep, used) => {
      await rm(store.path, { recursive: true });
      store = await openStore(store.path);
      const done: { published: Published; contents: string[] }[] = [];
      for (const [index, { a, b }] of all.entries()) {
        done.push({ published: await publish(index + 1, { a: `a${a}`, b: `b${b}` }), contents: [`a${a}`, `b${b}`] });
      }
      const inUse = done[used % done.length]!;
      const manifest: Digest = (await pack('a', inUse.contents[0]!)).manifest.digest;
      await gc({ keep, inUse: { ...noUse, releases: [{ ...inUse.published, manifest }] } });
      const newest = done.slice(-keep);
      for (const one of newest) expect(await isWhole(one.published, one.contents)).toBe(true);
      expect(await isWhole(inUse.published, inUse.contents.slice(0, 1))).toBe(true);
      expect((await store.catalogs()).length).toBeGreaterThanOrEqual(Math.min(keep, done.length));
    }),
    { numRuns: process.env.BT_TEST === 'all' ? 200 : 8 },
  );
});
