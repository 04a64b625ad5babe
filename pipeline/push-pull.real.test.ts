import { execFile } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Digest } from '#bundle/digest.ts';
import type { SecretKey } from '#bundle/signature.ts';
import { generateSecretKey } from '#store/ed25519.ts';
import { openStore } from '#store/local.ts';
import type { Published, Store } from '#store/store.ts';
import { type PullOptions, pullCommit } from './pull.ts';
import { pushPublished, readLatest } from './push.ts';
import { openRegistry, type Registry } from './registry/client.ts';
import { parseReference } from './registry/reference.ts';
import { account, startRegistry, type TestRegistry } from './registry/testdata/docker-registry.ts';
import { publishSmall, revisionOf } from './testdata/small-commit.ts';
import { verifyPublished } from './verify.ts';

let directory = '';
let server: TestRegistry;
let registry: Registry;
let builder: Store;
let first: Published;
const key = generateSecretKey();
const keys = [key.publicKey];

function openAt(host: string): Registry {
  const reference = parseReference(`${host}/site/boot`);
  const limits = { pauseMs: 5, patienceMs: 5000, tries: 3, patienceBytes: 1000 };
  return openRegistry({ reference, credentials: account, access: 'push', allowedHosts: ['127.0.0.1'], limits });
}

let stores = 0;
const newStore = () => openStore(join(directory, `store-${stores++}`));

async function pull(store: Store, more: Partial<PullOptions> = {}) {
  return pullCommit({ store, registry, keys, site: 'lab', revision: revisionOf('1'), nowMs: Date.now(), ...more });
}

/** Publishes with the key of a stranger or for another site, and pushes it under the tag of commit `digit`. */
async function pushOther(digit: string, more: { key?: SecretKey; site?: string; nowMs?: number }): Promise<void> {
  const store = await newStore();
  const all = { key, ...more };
  const published = await publishSmall(store, { revision: revisionOf(digit), content: digit, ...all });
  const elsewhere = openRegistry({
    ...{ reference: parseReference(`${server.host}/site/boot`), credentials: account, access: 'push' },
    allowedHosts: ['127.0.0.1'],
  });
  await pushPublished(published, { store, registry: elsewhere, keys: [all.key.publicKey] }).catch((error) => {
    // The moving tag is another site's, or of another key: the commit's tag was set before.
    if (!['BUNDLE_KEY_UNKNOWN', 'CATALOG_COMMENT_INVALID'].includes(error.code)) throw error;
  });
  elsewhere.close();
}

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'bt-push-'));
  server = await startRegistry('basic');
  registry = openAt(server.host);
  builder = await newStore();
  first = await publishSmall(builder, { revision: revisionOf('1'), key, content: 'one' });
});
afterAll(async () => {
  registry.close();
  await server.close();
  await rm(directory, { recursive: true, force: true });
});

it('pullCommit() waits for a commit that nobody pushed yet', async () => {
  const fault = {
    code: 'REGISTRY_COMMIT_MISSING',
    retry: 'waiting',
    message: 'Waiting for the registry to have 111111111111',
  };
  await expect(pull(await newStore())).rejects.toMatchObject(fault);
});

it('what is pushed is pulled with the same serial, signature and infohash, and verifies to the last byte', async () => {
  const pushed = await pushPublished(first, { store: builder, registry, keys });
  expect(pushed).toMatchObject({ tag: `commit-${'1'.repeat(40)}`, sentBlobs: 6 });
  expect(await pushPublished(first, { store: builder, registry, keys })).toMatchObject({ sentBlobs: 0, sentBytes: 0 });

  for (const store of [await newStore(), await newStore()]) {
    const { published, isNew } = await pull(store);
    expect(isNew).toBe(true);
    expect({ ...published, publishedAt: '' }).toEqual({ ...first, publishedAt: '' });
    expect((await verifyPublished(store, keys))?.catalog.serial).toBe(first.serial);
    expect(await pull(store)).toMatchObject({ isNew: false, fetchedBlobs: 0 });
    expect(existsSync(join(store.path, 'partial'))).toBe(false);
  }
});

it('skopeo inspects and copies the artifacts', async () => {
  const options = ['--creds', `${account.user}:${account.password}`, '--tls-verify=false'];
  const place = `docker://${server.host}/site/boot`;
  const { stdout } = await promisify(execFile)('skopeo', ['inspect', '--raw', ...options, `${place}:latest`]);
  expect(JSON.parse(stdout)).toMatchObject({
    artifactType: 'application/vnd.boottorrent.catalog.v1',
    annotations: { 'org.opencontainers.image.revision': '1'.repeat(40) },
  });
  const from = ['--src-creds', `${account.user}:${account.password}`, '--src-tls-verify=false'];
  const tags = JSON.parse((await promisify(execFile)('skopeo', ['list-tags', ...options, place])).stdout)
    .Tags as string[];
  const bundle = tags.find((tag) => tag.startsWith('demo-amd64-')) ?? '';
  for (const tag of [`commit-${'1'.repeat(40)}`, bundle]) {
    await promisify(execFile)('skopeo', ['copy', '-q', ...from, `${place}:${tag}`, `dir:${join(directory, tag)}`]);
  }
  expect(readdirSync(join(directory, bundle)).length).toBe(7);
  expect(readFileSync(join(directory, `commit-${'1'.repeat(40)}`, first.catalog))).toEqual(
    await builder.readBlob(first.catalog, 1e6),
  );
});

it('publish() goes on from the serial of the registry, and keeps what says the same', async () => {
  const latest = await readLatest(registry, { keys, site: 'lab' });
  const store = await newStore();
  const elsewhere: Published = {
    ...first,
    catalog: (await store.putBytes(latest?.bytes ?? Buffer.alloc(0))).digest,
    signature: (await store.putBytes(latest?.signature ?? Buffer.alloc(0))).digest,
  };
  const same = await publishSmall(store, { revision: revisionOf('1'), key, content: 'one', elsewhere, nowMs: 0 });
  expect(same).toEqual(elsewhere);
  const next = await publishSmall(store, { revision: revisionOf('2'), key, content: 'two', elsewhere, nowMs: 0 });
  expect(next.serial).toBe(first.serial + 1);
  await pushPublished(next, { store, registry, keys });
  expect((await readLatest(registry, { keys, site: 'lab' }))?.catalog.serial).toBe(next.serial);

  const runtime = await newStore();
  await pull(runtime);
  const { fetchedBlobs } = await pull(runtime, { revision: revisionOf('2') });
  // The new initrd, the manifest and the torrent; the kernel is there.
  expect(fetchedBlobs).toBe(3);
  await expect(pull(runtime)).rejects.toMatchObject({ code: 'CATALOG_OLDER', retry: 'waiting' });
  expect((await runtime.readPublished())?.revision).toBe(revisionOf('2'));
});

it.each([
  ['the key of a stranger', '3', { key: generateSecretKey() }, 'BUNDLE_KEY_UNKNOWN'],
  ['the catalog of another site', '4', { site: 'other' }, 'CATALOG_COMMENT_INVALID'],
])('pullCommit() refuses %s, and leaves what is published', async (_, digit, more, code) => {
  await pushOther(digit, more);
  const store = await newStore();
  await pull(store);
  await expect(pull(store, { revision: revisionOf(digit) })).rejects.toMatchObject({ code });
  expect((await store.readPublished())?.revision).toBe(revisionOf('1'));
});

it('pullCommit() refuses the catalog of another commit under a commit’s tag', async () => {
  const { bytes } = await registry.getManifest({ tag: `commit-${'1'.repeat(40)}` });
  await registry.putManifest(`commit-${'5'.repeat(40)}`, {
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    bytes,
  });
  const fault = { code: 'CATALOG_REVISION_MISMATCH' };
  await expect(pull(await newStore(), { revision: revisionOf('5') })).rejects.toMatchObject(fault);
});

it('pullCommit() goes on after connections that break, by ranges', async () => {
  const proxy = await startBreaking(server.host, { afterBytes: 30_000 });
  const broken = openAt(`127.0.0.1:${(proxy.server.address() as AddressInfo).port}`);
  const store = await newStore();
  expect((await pull(store, { registry: broken })).published.catalog).toBe(first.catalog);
  expect(proxy.ranges.length).toBeGreaterThan(2);
  broken.close();
  proxy.server.close();
});

it('pullCommit() refuses what the registry changed on its disk, and takes it once it is mended', async () => {
  const store = await newStore();
  const { catalog } = (await readLatest(registry, { keys, site: 'lab' })) ?? {};
  const manifest = JSON.parse(String(await registry.getBlob(catalog?.images[0]?.manifest.digest as Digest, 1e6)));
  const digest: string = manifest.files[0].sha256;
  const data = join(server.directory, 'data/docker/registry/v2/blobs/sha256', digest.slice(0, 2), digest, 'data');
  const good = readFileSync(data);
  const bad = Buffer.from(good);
  bad[100] = (bad[100] ?? 0) ^ 1;
  writeFileSync(data, bad);
  const at = { revision: revisionOf('2') };
  await expect(pull(store, at)).rejects.toMatchObject({ code: 'REGISTRY_DIGEST_MISMATCH' });
  expect(await store.readPublished()).toBeUndefined();
  expect(readdirSync(join(store.path, 'tmp'))).toEqual([]);
  writeFileSync(data, good.subarray(0, 100));
  await expect(pull(store, at)).rejects.toMatchObject({ code: 'REGISTRY_CUT_OFF' });
  writeFileSync(data, good);
  expect((await pull(store, at)).isNew).toBe(true);
});

/** Passes everything through, and cuts each answer off after some bytes. */
async function startBreaking(
  host: string,
  { afterBytes }: { readonly afterBytes: number },
): Promise<{ readonly server: Server; readonly ranges: readonly string[] }> {
  const ranges: string[] = [];
  const [name = '', port] = host.split(':');
  const server = createServer((request, response) => {
    if (request.headers.range) ranges.push(request.headers.range);
    const far = connect(Number(port), name);
    const headers = request.rawHeaders.map((part, index) => (index % 2 === 0 ? `${part}: ` : `${part}\r\n`)).join('');
    far.write(
      `${request.method} ${request.url} HTTP/1.1\r\n${headers.replace(/connection: .*\r\n/i, '')}Connection: close\r\n\r\n`,
    );
    let sent = 0;
    far.on('data', (chunk) => {
      const part = chunk.subarray(0, Math.max(0, afterBytes - sent));
      sent += chunk.length;
      response.socket?.write(part);
      if (sent > afterBytes) response.socket?.destroy();
    });
    far.on('end', () => response.socket?.end());
    far.on('error', () => response.socket?.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { server, ranges };
}
