import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Catalog, formatCatalog, parseCatalog, type Release } from '#bundle/catalog.ts';
import { parseManifest } from '#bundle/manifest.ts';
import { formatPublicKey, type SecretKey } from '#bundle/signature.ts';
import { packBundle } from '#pipeline/pack.ts';
import { openKeyPair, signCatalog } from '#pipeline/sign.ts';
import { openStore } from '#store/local.ts';
import type { Store } from '#store/store.ts';
import { askSocket } from './http/ask-socket.ts';
import { controlSocketPath } from './state-lock.ts';
import type { StormPlan, StormResult, Version } from './testdata/swap-storm.ts';

const isWhole = process.env.BT_TEST === 'all';
const swaps = isWhole ? 100 : 10;
const requestsWanted = isWhole ? 10_000 : 1000;
const execute = promisify(execFile);
const here = fileURLToPath(new URL('.', import.meta.url));
const server = `bt-sw-${process.pid}-s`;
const client = `bt-sw-${process.pid}-c`;
const host = '10.91.0.1';
const addresses = Array.from({ length: 60 }, (_, index) => `10.91.0.${index + 10}`);

let folder = '';
let statePath = '';
let runtime: ChildProcess;
let store: Store;
let key: SecretKey;

const config = `site: test
network:
  interface: eth1
  dhcp: { mode: full, range: [10.91.0.100, 10.91.0.150], lease: 1h }
  status: "127.0.0.1:8472"
git: { poll: 1h }
menu: { default: tiny }
`;
const image =
  'title: Tiny\narch: amd64\nmethod: kexec\nsource: { files: { kernel: kernel, initrd: initrd } }\ncmdline: quiet\n';

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bt-sw-'));
  statePath = join(folder, 'state');
  const repository = join(folder, 'site');
  for (const name of [server, client]) await execute('ip', ['netns', 'add', name]);
  await execute('ip', ['-n', server, 'link', 'add', 'eth1', 'type', 'veth', 'peer', 'name', 'eth0', 'netns', client]);
  await execute('ip', ['-n', server, 'addr', 'add', `${host}/24`, 'dev', 'eth1']);
  for (const address of addresses) await execute('ip', ['-n', client, 'addr', 'add', `${address}/24`, 'dev', 'eth0']);
  await execute('ip', ['-n', server, 'link', 'set', 'eth1', 'up']);
  await execute('ip', ['-n', server, 'link', 'set', 'lo', 'up']);
  await execute('ip', ['-n', client, 'link', 'set', 'eth0', 'up']);
  await mkdir(join(repository, 'images/tiny'), { recursive: true });
  const files = { 'boot.config.yaml': config, 'images/tiny/image.yaml': image };
  for (const [name, text] of Object.entries(files)) await writeFile(join(repository, name), text);
  for (const name of ['kernel', 'initrd']) await writeFile(join(repository, 'images/tiny', name), randomBytes(5000));
  const git = (...argv: string[]) => execFileSync('git', ['-C', repository, ...argv]);
  git('init', '-q', '-b', 'main');
  git('add', '-A');
  git('-c', 'user.name=test', '-c', 'user.email=test@example.org', 'commit', '-q', '-m', 'first');
  const run = [process.execPath, join(here, 'testdata/run.ts'), join(repository, 'boot.config.yaml'), statePath];
  const argv = ['netns', 'exec', server, 'perl', join(here, 'sockets/launch.pl'), 'eth1', ...run];
  runtime = spawn('ip', argv, { stdio: ['ignore', 'inherit', 'pipe'] });
  runtime.stderr?.pipe(createWriteStream(join(folder, 'log')));
});

afterAll(async () => {
  const ended = new Promise((resolve) => runtime.once('close', resolve));
  if (runtime.kill('SIGTERM')) await ended;
  for (const name of [server, client]) await execute('ip', ['netns', 'del', name]);
  if (!process.env.BT_KEEP) await rm(folder, { recursive: true, force: true });
});

async function pack(about: Parameters<typeof packBundle>[1], contents: Readonly<Record<string, string>>) {
  const work = await store.workDirectory();
  const files = about.files.map((file) => ({ ...file, path: join(work, file.name) }));
  for (const { name, path } of files) await writeFile(path, (contents[name] ?? '').repeat(2000));
  const release = await packBundle(store, { ...about, files });
  const manifest = parseManifest((await store.readBlob(release.manifest.digest, 2 ** 20)).toString());
  return { release, digestOf: (name: string) => manifest.files.find((file) => file.name === name)?.sha256 ?? '' };
}

/** Version number n of everything, in the store and not yet published. */
async function makeVersion(number: number): Promise<{ version: Version; bootstrap: Release; image: Release }> {
  const named = (role: 'kernel' | 'initrd' | 'nbp', name: string) => ({ role, name, path: '' });
  const nbps = [named('nbp', 'undionly.kpxe'), named('nbp', 'snponly.efi')];
  const text = (what: string) => `${what} ${number}\n`;
  const bootstrap = await pack(
    {
      ...{ kind: 'bootstrap', name: 'bootstrap', arch: 'amd64', kernelRelease: '6.12.0-test' },
      files: [named('kernel', 'vmlinuz'), named('initrd', 'initramfs'), ...nbps],
    },
    {
      vmlinuz: text('kernel'),
      initramfs: text('initramfs'),
      'undionly.kpxe': text('bios'),
      'snponly.efi': text('uefi'),
    },
  );
  const image = await pack(
    {
      ...{ kind: 'image', name: 'tiny', arch: 'amd64', method: 'kexec' },
      files: [named('kernel', 'vmlinuz'), named('initrd', 'initrd')],
    },
    { vmlinuz: text('own kernel'), initrd: text('initrd') },
  );
  const version = {
    ...{ bootstrap: bootstrap.release.manifest.digest, kernel: bootstrap.digestOf('vmlinuz') },
    ...{ initrd: bootstrap.digestOf('initramfs'), nbp: bootstrap.digestOf('snponly.efi') },
    ...{ image: image.release.manifest.digest, infoHash: image.release.torrent?.infoHash ?? '' },
  };
  return { version, bootstrap: bootstrap.release, image: image.release };
}

/** As publish() does it, but for a catalog that no commit stands behind. */
async function publish(catalog: Catalog): Promise<number> {
  const bytes = Buffer.from(formatCatalog(catalog));
  const { serial, site, revision } = catalog;
  const { digest } = await store.putBytes(bytes);
  const signature = (await store.putBytes(Buffer.from(signCatalog(bytes, { key, site, serial })))).digest;
  await store.publish({ catalog: digest, signature, revision, serial, publishedAt: new Date().toISOString() });
  return Date.now();
}

it(`${swaps} swaps during ${requestsWanted} requests: no answer is a mixture, none fails, and each is seen at once`, async () => {
  const ready = () => askSocket(controlSocketPath(statePath), '/readyz').catch(() => '');
  await expect.poll(ready, { timeout: 60_000, interval: 100 }).toContain('serving');
  store = await openStore(join(statePath, 'store'));
  key = (await openKeyPair(statePath)).key;
  const first = (await store.readPublished())!;
  const base = parseCatalog((await store.readBlob(first.catalog, 2 ** 20)).toString());
  const made: Awaited<ReturnType<typeof makeVersion>>[] = [];
  for (let number = 0; number < swaps; number++) made.push(await makeVersion(number));
  const next = (number: number): Catalog => {
    const { bootstrap, image } = made[number]!;
    const images = [{ ...base.images[0]!, ...image }];
    return { ...base, serial: base.serial + 1 + number, bootstraps: [bootstrap], images };
  };
  const publishedMs = [await publish(next(0))];
  const serial = async () => JSON.parse(await askSocket(controlSocketPath(statePath), '/v1/status')).serial;
  await expect.poll(serial, { timeout: 10_000 }).toBe(base.serial + 1);
  const storm = await startStorm(made.map(({ version }) => version));
  for (let number = 1; number < swaps; number++) {
    await sleep(isWhole ? 250 : 400);
    publishedMs.push(await publish(next(number)));
  }
  const result = await storm.end();
  const total = Object.values(result.requests).reduce((sum, one) => sum + one, 0);
  const delays = Object.entries(result.firstMs).map(([protocol, seen]) => {
    const each = seen.slice(1).flatMap((atMs, index) => (atMs === null ? [] : [atMs - publishedMs[index + 1]!]));
    return { protocol, seen: each.length, ...quantiles(each) };
  });
  process.stdout.write(`${JSON.stringify({ total, requests: result.requests, delays })}\n`);
  expect(result.violations).toEqual([]);
  expect(total).toBeGreaterThan(requestsWanted);
  expect(delays.map(({ protocol }) => protocol).toSorted()).toEqual(['dhcp', 'script', 'tftp', 'ticket', 'tracker']);
  // Wanted: 200 ms. Beside other tests on two processors the median has to do, within five times that.
  for (const { medianMs, seen } of delays) {
    expect(medianMs).toBeLessThan(1000);
    expect(seen).toBeGreaterThan(swaps / 2);
  }
});

function quantiles(values: readonly number[]): { medianMs: number; maxMs: number } {
  const sorted = values.toSorted((a, b) => a - b);
  return { medianMs: sorted[Math.floor(sorted.length / 2)] ?? Number.NaN, maxMs: sorted.at(-1) ?? Number.NaN };
}

async function startStorm(versions: readonly Version[]): Promise<{ end(): Promise<StormResult> }> {
  const plan: StormPlan = { server: host, publicKey: formatPublicKey(key.publicKey), addresses, versions };
  await writeFile(join(folder, 'plan'), JSON.stringify(plan));
  const argv = ['netns', 'exec', client, process.execPath, join(here, 'testdata/swap-storm.ts'), join(folder, 'plan')];
  const child = spawn('ip', argv, { stdio: ['pipe', 'pipe', 'inherit'] });
  let said = '';
  child.stdout.on('data', (chunk) => (said += chunk));
  const closed = new Promise((resolve) => child.once('close', resolve));
  await sleep(1000);
  return {
    async end() {
      await sleep(500);
      child.stdin.end();
      await closed;
      return JSON.parse(said) as StormResult;
    },
  };
}
