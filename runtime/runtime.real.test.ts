import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { chmod, mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseTicket } from '#bundle/boot-ticket.ts';
import { parseCatalog } from '#bundle/catalog.ts';
import { parseManifest } from '#bundle/manifest.ts';
import { parsePublicKey, verifySignature } from '#bundle/signature.ts';
import { nodeVerifier } from '#store/ed25519.ts';
import type { GcResult } from '#store/gc.ts';
import type { Status } from './dashboard/view.ts';
import type { HistoryEvent } from './history/event.ts';

const execute = promisify(execFile);
const here = fileURLToPath(new URL('.', import.meta.url));
const server = `bt-rt-${process.pid}-s`;
const client = `bt-rt-${process.pid}-c`;
const mac = '52:54:00:99:00:01';
const url = 'http://10.88.0.1:8480';
/** The initrd, which ends with a piece, and the kernel. */
const tinyBytes = 3 * 262_144 + 300_000;

let folder = '';
let repository = '';
let statePath = '';
let runtime: ChildProcess;

const config = `site: test
network:
  interface: eth1
  dhcp: { mode: full, range: [10.88.0.100, 10.88.0.150], lease: 1h }
  status: "127.0.0.1:8470"
git: { poll: 1h }
menu: { default: tiny }
`;
const image = `title: Tiny
arch: amd64
method: kexec
source: { files: { kernel: kernel, initrd: initrd } }
cmdline: "quiet"
`;

function git(...argv: string[]): string {
  const identity = ['-c', 'user.name=test', '-c', 'user.email=test@example.org'];
  return execFileSync('git', ['-C', repository, ...identity, ...argv], { encoding: 'utf8', stdio: 'pipe' }).trim();
}

async function commit(files: Readonly<Record<string, string | Buffer>>): Promise<string> {
  for (const [name, content] of Object.entries(files)) {
    await mkdir(join(repository, name, '..'), { recursive: true });
    await writeFile(join(repository, name), content);
  }
  git('add', '-A');
  git('commit', '-q', '-m', 'next');
  return git('rev-parse', 'HEAD');
}

function start(): ChildProcess {
  const run = [process.execPath, join(here, 'testdata', 'run.ts'), join(repository, 'boot.config.yaml'), statePath];
  const argv = ['netns', 'exec', server, 'perl', join(here, 'sockets', 'launch.pl'), 'eth1', ...run];
  const child = spawn('ip', argv, { stdio: ['ignore', 'inherit', 'pipe'] });
  child.stderr?.pipe(createWriteStream(join(folder, 'log'), { flags: 'a' }));
  return child;
}

async function end(signal: NodeJS.Signals): Promise<void> {
  const ended = new Promise((resolve) => runtime.once('close', resolve));
  runtime.kill(signal);
  await ended;
}

function ask(path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const asking = request({ socketPath: join(statePath, 'control.sock'), path }, (response) => {
      let text = '';
      response.on('data', (chunk) => (text += chunk));
      response.on('end', () => resolve(text));
    });
    asking.on('error', reject);
    asking.end();
  });
}

async function status(): Promise<Status> {
  return JSON.parse(await ask('/v1/status')) as Status;
}
const soon = { timeout: 20_000, interval: 50 };
async function history(): Promise<readonly HistoryEvent[]> {
  const argv = [join(here, 'cli/main.ts'), 'history', '--json', '--state', statePath];
  const { stdout } = await execute(process.execPath, argv);
  return stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as HistoryEvent);
}
async function gc(...flags: string[]): Promise<GcResult> {
  const argv = [join(here, 'cli/main.ts'), 'gc', '--json', '--state', statePath, ...flags];
  return JSON.parse((await execute(process.execPath, argv)).stdout) as GcResult;
}
async function bootstrapFiles() {
  const { bootstraps } = await status();
  return parseManifest(await fetchText(`/blob/${bootstraps[0]?.digest}/manifest`)).files;
}
const tryStatus = () => status().catch(() => undefined);

async function inClient(...argv: string[]): Promise<string> {
  return (await execute('ip', ['netns', 'exec', client, ...argv], { maxBuffer: 2 ** 26 })).stdout;
}
const fetchText = (path: string) =>
  inClient('curl', '-sS', '--max-time', '10', path.startsWith('http') ? path : url + path);
const scriptPath = `/boot/${mac.replaceAll(':', '-')}/uefi-x64.ipxe`;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bt-rt-'));
  repository = join(folder, 'site');
  statePath = join(folder, 'state');
  for (const name of [server, client]) await execute('ip', ['netns', 'add', name]);
  await execute('ip', ['-n', server, 'link', 'add', 'eth1', 'type', 'veth', 'peer', 'name', 'eth0', 'netns', client]);
  await execute('ip', ['-n', client, 'link', 'set', 'eth0', 'address', mac]);
  await execute('ip', ['-n', server, 'addr', 'add', '10.88.0.1/24', 'dev', 'eth1']);
  await execute('ip', ['-n', client, 'addr', 'add', '10.88.0.7/24', 'dev', 'eth0']);
  for (const [name, device] of [
    [server, 'eth1'],
    [server, 'lo'],
    [client, 'eth0'],
  ] as const) {
    await execute('ip', ['-n', name, 'link', 'set', device, 'up']);
  }
  await mkdir(repository);
  git('init', '-q', '-b', 'main');
  await mkdir(statePath);
  await writeFile(join(statePath, 'hold'), '');
  await commit({
    'boot.config.yaml': config,
    'images/tiny/image.yaml': image,
    'images/tiny/kernel': randomBytes(300_000),
    'images/tiny/initrd': randomBytes(700_000),
  });
  runtime = start();
});

afterAll(async () => {
  if (runtime.exitCode === null && runtime.signalCode === null) await end('SIGTERM');
  for (const name of [server, client]) await execute('ip', ['netns', 'del', name]);
  if (!process.env.BT_KEEP) await rm(folder, { recursive: true, force: true });
});

describe('the runtime, in the order of a life', () => {
  let first: Status;
  let session = '';

  it('answers before there is anything to boot: building, and not ready', async () => {
    await expect.poll(tryStatus, soon).toMatchObject({ ready: false, building: { total: 2 } });
    expect(await fetchText(scriptPath)).toContain('building, 0 of 2: bootstrap');
    expect(await ask('/healthz')).toBe('alive\n');
    expect(await ask('/readyz')).toContain('nothing to serve yet');
    expect((await stat(statePath)).mode & 0o777).toBe(0o700);
  });

  it('serves the commit when it is built', async () => {
    await rm(join(statePath, 'hold'));
    await expect.poll(tryStatus, soon).toMatchObject({ ready: true, revision: git('rev-parse', 'HEAD') });
    first = await status();
    expect(first.images).toMatchObject([{ name: 'tiny', title: 'Tiny', method: 'kexec', sizeBytes: tinyBytes }]);
    expect(first.faults).toEqual([]);
    expect(first.needsRestart).toEqual([]);
    expect(await ask('/metrics')).toContain('boottorrent_ready 1');
  });

  it('gives a lease, the boot program by TFTP, a script, and one session for all of it', async () => {
    const said = await inClient('sh', '-c', 'udhcpc -f -n -q -t 5 -i eth0 -s /bin/true 2>&1');
    expect(said).toMatch(/lease of 10\.88\.0\.1\d\d obtained/);
    await inClient('curl', '-sS', '-o', join(folder, 'nbp'), 'tftp://10.88.0.1/snponly.efi');
    expect(await readFile(join(folder, 'nbp'), 'utf8')).toBe('snponly.efi'.repeat(5000));
    const script = await fetchText(scriptPath);
    session = /bt\.session=([0-9a-f]{32})/.exec(script)?.[1] ?? '';
    const [kernelUrl = ''] = /http:\S+vmlinuz/.exec(script) ?? [];
    expect(await fetchText(kernelUrl)).toBe('vmlinuz'.repeat(5000));
    const nodes = (await status()).nodes;
    expect(nodes).toMatchObject([{ mac, session, firmware: 'uefi-x64', address: '10.88.0.7', phase: 'kernel' }]);
  });

  it('gives a ticket whose catalog is signed, and whose torrent aria2 downloads from the origin', async () => {
    const ticket = parseTicket(await fetchText(`/v1/ticket/${session}?mac=${mac}&arch=amd64`));
    const keys = [parsePublicKey(await readFile(join(statePath, 'keys', 'minisign.pub'), 'utf8'))];
    verifySignature(Buffer.from(ticket.catalog), ticket.signature, { keys, verifier: nodeVerifier });
    const release = parseCatalog(ticket.catalog).images[0]!;
    expect(createHash('sha256').update(ticket.image.manifest).digest('hex')).toBe(release.manifest.digest);
    await writeFile(join(folder, 'tiny.torrent'), Buffer.from(ticket.image.torrent ?? '', 'base64'));
    await inClient('aria2c', '-q', '--seed-time=0', '--enable-dht=false', '-d', folder, join(folder, 'tiny.torrent'));
    const got = await readFile(join(folder, 'tiny', 'initrd'));
    expect(got.equals(await readFile(join(repository, 'images/tiny/initrd')))).toBe(true);
    const report = { session, mac, phase: 'download', uptimeMs: 9, image: 'tiny', manifest: release.manifest.digest };
    const body = JSON.stringify({ ...report, doneBytes: tinyBytes, totalBytes: tinyBytes });
    await inClient('curl', '-sS', '-d', body, `${url}/v1/report`);
    await expect
      .poll(async () => (await status()).nodes[0], soon)
      .toMatchObject({ percent: 100, bytes: { origin: tinyBytes, peers: 0, http: 0 }, image: 'tiny' });
  });

  it('serves a new commit without a restart, and keeps the old version for the node that began with it', async () => {
    const revision = await commit({ 'images/tiny/initrd': randomBytes(500_000) });
    await expect.poll(tryStatus, soon).toMatchObject({ revision });
    const now = await status();
    expect(now.serial).toBeGreaterThan(first.serial!);
    expect(now.images[0]?.digest).not.toBe(first.images[0]?.digest);
    expect(now.draining).toEqual([{ name: 'tiny', version: first.images[0]?.version }]);
    expect(await fetchText(`/blob/${first.images[0]?.digest}/manifest`)).toContain('"name": "tiny"');
  });

  it('refuses a broken commit with its place, and goes on with the one before', async () => {
    const before = await status();
    const broken = image.replace('cmdline', 'cmdlin');
    const revision = await commit({ 'images/tiny/image.yaml': broken, 'boot.config.yaml': `${config}colour: red\n` });
    await expect.poll(tryStatus, soon).toMatchObject({ refused: { kind: 'stalled', revision } });
    const now = await status();
    expect(now.faults.map(({ file, line }) => `${file}:${line}`)).toEqual([
      'boot.config.yaml:8',
      'images/tiny/image.yaml:5',
    ]);
    expect(now).toMatchObject({ ready: true, revision: before.revision, images: before.images });
    expect(await fetchText(scriptPath)).toContain('bt.session=');
    const said = await execute(process.execPath, [join(here, 'cli/main.ts'), 'status', '--state', statePath]);
    expect(said.stdout).toContain('images/tiny/image.yaml:5');
  });

  it('goes back with a revert: the old digest, the old infohash, a higher serial', async () => {
    const before = await status();
    git('revert', '--no-edit', 'HEAD~1..HEAD');
    git('revert', '--no-edit', 'HEAD~2');
    await expect.poll(tryStatus, soon).toMatchObject({ revision: git('rev-parse', 'HEAD'), faults: [] });
    const now = await status();
    expect(now.images).toEqual(first.images);
    expect(now.serial).toBeGreaterThan(before.serial!);
    expect(await readFile(join(folder, 'log'), 'utf8')).toContain('"serving"');
  });

  it('tells in its history what became of each commit', async () => {
    expect(await history()).toMatchObject([
      {
        result: 'published',
        revision: git('rev-parse', 'HEAD'),
        author: 'test',
        subject: expect.stringContaining('Revert'),
      },
      { result: 'refused', subject: 'next', faults: [{ file: 'boot.config.yaml', line: 8 }, { line: 5 }] },
      { result: 'published', subject: 'next', serial: expect.any(Number), seconds: expect.any(Number) },
      { result: 'published', serial: first.serial },
    ]);
  });

  it('keeps a second runtime out of its state directory, and names its pid', async () => {
    const pid = (await readFile(join(statePath, 'run.lock'), 'utf8')).trim();
    const argv = [join(here, 'cli/main.ts'), 'run', '--state', statePath];
    const second = await execute(process.execPath, [...argv, '--config', join(repository, 'boot.config.yaml')]).catch(
      (error) => error,
    );
    expect(second.code).toBe(75);
    expect(second.stderr).toContain(`pid ${pid}`);
  });

  it('serves the same after kill -9 within 2 s, without hashing', async () => {
    const before = await status();
    // The script was asked for again after the download: that was another power cycle.
    session = before.nodes[0]?.session ?? '';
    const stamps = await stat(join(statePath, 'store', 'verified.json'));
    await end('SIGKILL');
    runtime = start();
    await expect.poll(tryStatus, soon).toMatchObject({ ready: true });
    const { serial, images, revision } = await status();
    expect({ serial, images, revision }).toEqual({
      serial: before.serial,
      images: before.images,
      revision: before.revision,
    });
    expect((await stat(join(statePath, 'store', 'verified.json'))).mtimeMs).toBe(stamps.mtimeMs);
  });

  it('still knows a node that booted before the restart', async () => {
    const [node] = (await status()).nodes;
    expect(node).toMatchObject({ mac, session, phase: 'script' });
    const body = JSON.stringify({ session, mac, phase: 'load', uptimeMs: 9, image: 'tiny' });
    await inClient('curl', '-sS', '-d', body, `${url}/v1/report`);
    expect((await status()).nodes).toMatchObject([{ mac, session, phase: 'load' }]);
  });

  it('keeps what a boot began with, whatever is published and collected, also over a restart, until that boot is over', async () => {
    const script = await fetchText(scriptPath);
    const own = /bt\.session=([0-9a-f]{32})/.exec(script)?.[1] ?? '';
    const ticket = parseTicket(await fetchText(`/v1/ticket/${own}?mac=${mac}&arch=amd64`));
    const files = parseManifest(ticket.image.manifest).files.map(({ sha256 }) => sha256);
    const statusOf = async (digest = '') =>
      inClient('curl', '-s', '-o', '/dev/null', '-w', '%{http_code}', `${url}/blob/${digest}/x`);
    for (let next = 0; next < 4; next++) {
      const revision = await commit({ 'images/tiny/initrd': randomBytes(400_000), 'images/tiny/kernel': `k${next}` });
      await expect.poll(tryStatus, soon).toMatchObject({ revision });
    }
    expect(await gc('--dry-run')).toMatchObject({ droppedCatalogs: expect.any(Number) });
    const removed = await gc();
    expect(removed.droppedCatalogs).toBeGreaterThan(2);
    expect(removed.removedBlobs).toBeGreaterThan(0);
    expect(await Promise.all(files.map(statusOf))).toEqual(files.map(() => '200'));
    await end('SIGKILL');
    runtime = start();
    await expect.poll(tryStatus, soon).toMatchObject({ ready: true });
    await expect.poll(() => statusOf(files[0]), soon).toBe('200');
    expect(await Promise.all(files.map(statusOf))).toEqual(files.map(() => '200'));
    const body = JSON.stringify({ session: own, mac, phase: 'up', uptimeMs: 9, image: 'tiny' });
    await inClient('curl', '-sS', '-d', body, `${url}/v1/report`);
    await expect.poll(() => statusOf(files[0]), soon).toBe('404');
    // It came up, so the node may fall back to it: it is no longer served, and still kept.
    expect((await gc()).removedBlobs).toBe(0);
  });

  it('gives out no file that was changed on the disk, says so, and has it built again', async () => {
    const { images } = await status();
    const { files } = parseManifest(await fetchText(`/blob/${images[0]?.digest}/manifest`));
    for (const { sha256, name } of [files[0]!, (await bootstrapFiles()).find((one) => one.role === 'nbp')!]) {
      await writeFile(join(statePath, 'hold'), '');
      const path = join(statePath, 'store', 'blobs', sha256.slice(0, 2), sha256);
      const right = await readFile(path);
      const wrong = Buffer.from(right);
      wrong[5] = (wrong[5] ?? 0) ^ 1;
      await chmod(path, 0o644);
      await writeFile(path, wrong);
      expect(await fetchText(`/blob/${sha256}/x`)).toContain('[DRIFT]');
      await expect(inClient('curl', '-sSf', `tftp://10.88.0.1/${name}`)).rejects.toThrow();
      await expect.poll(() => ask('/readyz'), soon).toContain('files are missing or changed on the disk: ');
      expect((await status()).faults).toMatchObject([{ code: 'BLOB_DIGEST_MISMATCH' }]);
      await rm(join(statePath, 'hold'));
      await expect.poll(() => ask('/readyz'), soon).toBe('serving a verified catalog\n');
      expect((await readFile(path)).equals(right)).toBe(true);
      const [got] = [await inClient('sh', '-c', `curl -s ${url}/blob/${sha256}/x | sha256sum`)];
      expect(got).toContain(sha256);
    }
    expect((await status()).images).toEqual(images);
  });

  it('ends when it was drained: the boot that runs is served to its end, and no new one begins', async () => {
    const own = /bt\.session=([0-9a-f]{32})/.exec(await fetchText(scriptPath))?.[1] ?? '';
    const pxe = 'udhcpc -f -n -q -t 2 -T 1 -i eth0 -s /bin/true';
    const asFirmware = `${pxe} -V PXEClient:Arch:00007:UNDI:003016`;
    const closed = new Promise((resolve) => runtime.once('close', resolve));
    const argv = [join(here, 'cli/main.ts'), 'drain', '--state', statePath];
    expect((await execute(process.execPath, argv)).stdout).toContain('after 1 boot');
    expect(await ask('/readyz')).toContain('draining');
    expect(await fetchText(`/v1/ticket/${own}?mac=${mac}&arch=amd64`)).toContain('"catalog"');
    expect(await fetchText(scriptPath.replace('00-01', '00-02'))).toContain('[DRAINING]');
    expect(await fetchText(scriptPath)).toContain('bt.session=');
    await inClient('ip', 'link', 'set', 'eth0', 'address', '52:54:00:99:00:03');
    await expect(inClient('sh', '-c', asFirmware)).rejects.toThrow();
    expect(await inClient('sh', '-c', `${pxe} 2>&1`)).toMatch(/obtained/);
    await inClient('ip', 'link', 'set', 'eth0', 'address', mac);
    expect(await ask('/metrics')).toContain('dhcp_ignored{reason="about to end"}');
    const body = JSON.stringify({ session: own, mac, phase: 'up', uptimeMs: 9, image: 'tiny' });
    await inClient('curl', '-sS', '-d', body, `${url}/v1/report`);
    await closed;
    expect(runtime.exitCode).toBe(0);
    runtime = start();
    await expect.poll(tryStatus, soon).toMatchObject({ ready: true });
  });

  it('ends at SIGTERM within 2 s with everything it started, also in the middle of a build', async () => {
    await writeFile(join(statePath, 'hold'), '');
    await commit({ 'images/tiny/initrd': randomBytes(1000) });
    await expect.poll(tryStatus, soon).toMatchObject({ building: { total: 2, name: 'bootstrap' } });
    await end('SIGTERM');
    expect(runtime.exitCode).toBe(0);
    expect((await execute('ip', ['netns', 'pids', server])).stdout).toBe('');
    expect((await history()).length).toBe(8);
  });
});
