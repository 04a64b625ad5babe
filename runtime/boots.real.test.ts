import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseTicket } from '#bundle/boot-ticket.ts';
import type { NodeAnswer, Status, StatusNode } from './dashboard/view.ts';
import { askSocket } from './http/ask-socket.ts';
import { controlSocketPath } from './state-lock.ts';

const execute = promisify(execFile);
const here = fileURLToPath(new URL('.', import.meta.url));
const space = `bt-boots-${process.pid}`;
const url = 'http://10.89.0.1:8480';
const soon = { timeout: 20_000, interval: 100 };

let folder = '';
let repository = '';
let statePath = '';
let runtime: ChildProcess | undefined;

const config = `site: test
network: { interface: eth1, dhcp: { mode: off }, status: "127.0.0.1:8471" }
git: { poll: 1h }
menu: { default: tiny }
`;
const tiny = `title: Tiny
arch: amd64
method: switch-root
switch-root: { modules: none }
source: { files: { rootfs: rootfs } }
expect: { heartbeat: 2s }
`;
const disk = 'title: The local disk\narch: amd64\nmethod: local\n';

async function commit(files: Readonly<Record<string, string | Buffer>>): Promise<string> {
  for (const [name, content] of Object.entries(files)) {
    await mkdir(join(repository, name, '..'), { recursive: true });
    await writeFile(join(repository, name), content);
  }
  const identity = ['-c', 'user.name=test', '-c', 'user.email=test@example.org'];
  const git = (...argv: string[]) =>
    execFileSync('git', ['-C', repository, ...identity, ...argv], { encoding: 'utf8' });
  git('add', '-A');
  git('commit', '-q', '-m', 'next');
  return git('rev-parse', 'HEAD').trim();
}

function start(): ChildProcess {
  const run = [process.execPath, join(here, 'testdata', 'run.ts'), join(repository, 'boot.config.yaml'), statePath];
  const argv = ['netns', 'exec', space, 'perl', join(here, 'sockets', 'launch.pl'), '--sockets=tftp', 'eth1', ...run];
  const child = spawn('ip', argv, { stdio: ['ignore', 'inherit', 'pipe'] });
  child.stderr?.pipe(createWriteStream(join(folder, 'log'), { flags: 'a' }));
  return child;
}

async function end(signal: NodeJS.Signals): Promise<void> {
  const ended = new Promise((resolve) => runtime?.once('close', resolve));
  if (runtime?.kill(signal)) await ended;
}

const ask = async (path: string) => JSON.parse(await askSocket(controlSocketPath(statePath), path)) as unknown;
const status = async () => (await ask('/v1/status')) as Status;
const tryStatus = () => status().catch(() => undefined);
const tell = async (mac: string) => (await ask(`/v1/nodes/${mac}`)) as NodeAnswer;
const nodeOf = async (mac: string): Promise<StatusNode> => (await tell(mac)).node;
const curl = async (...argv: string[]) =>
  (await execute('ip', ['netns', 'exec', space, 'curl', '-sS', '--max-time', '10', ...argv])).stdout;
const cli = async (...argv: string[]) =>
  (await execute(process.execPath, [join(here, 'cli/main.ts'), ...argv, '--state', statePath])).stdout;

const scriptOf = (mac: string) => curl(`${url}/boot/${mac.replaceAll(':', '-')}/bios.ipxe`);
const sessionIn = (script: string) => /bt\.session=([0-9a-f]{32})/.exec(script)?.[1] ?? '';

/** A node that gets its script and its ticket; says what the ticket is for. */
async function boot(mac: string) {
  const session = sessionIn(await scriptOf(mac));
  const ticket = parseTicket(await curl(`${url}/v1/ticket/${session}?mac=${mac}&arch=amd64`));
  const rootfs = /"sha256": "([0-9a-f]{64})"/.exec(ticket.image.manifest)?.[1] ?? '';
  const report = (phase: string, more: object = {}) =>
    curl('-d', JSON.stringify({ session, mac, phase, uptimeMs: 1, image: 'tiny', ...more }), `${url}/v1/report`);
  return { session, ticket, rootfs, report };
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bt-boots-'));
  repository = join(folder, 'site');
  statePath = join(folder, 'state');
  await execute('ip', ['netns', 'add', space]);
  await execute('ip', ['-n', space, 'link', 'add', 'eth1', 'type', 'veth', 'peer', 'name', 'eth2']);
  await execute('ip', ['-n', space, 'addr', 'add', '10.89.0.1/24', 'dev', 'eth1']);
  for (const device of ['eth1', 'eth2', 'lo']) await execute('ip', ['-n', space, 'link', 'set', device, 'up']);
  await mkdir(repository);
  execFileSync('git', ['init', '-q', '-b', 'main', repository]);
  await commit({
    ...{ 'boot.config.yaml': config, 'images/tiny/image.yaml': tiny, 'images/disk/image.yaml': disk },
    'images/tiny/rootfs': randomBytes(200_000),
  });
  runtime = start();
});

afterAll(async () => {
  if (runtime?.exitCode === null && runtime.signalCode === null) await end('SIGTERM');
  await execute('ip', ['netns', 'del', space]);
  if (!process.env.BT_KEEP) await rm(folder, { recursive: true, force: true });
});

describe('what happens to nodes', () => {
  it('is told phase by phase, with the log of a failed boot, also after kill -9', async () => {
    const mac = '52:54:00:89:00:01';
    await expect.poll(tryStatus, soon).toMatchObject({ ready: true });
    const first = await boot(mac);
    await first.report('network', { memoryBytes: 2 ** 30, missingDrivers: ['8086:1572'] });
    await first.report('download', { doneBytes: 200_000, totalBytes: 200_000, peers: 2 });
    const fault = { code: 'KEXEC_FAILED', message: 'Cannot load the kernel' };
    await first.report('failed', { fault, log: 'kexec: out of memory\n' });
    await boot(mac);
    // A node that still runs under the older identity is told to boot again.
    const stale = `${url}/v1/ticket/${first.session}?mac=${mac}&arch=amd64`;
    expect(await curl('-w', '%{http_code}', stale)).toMatch(/\[SESSION_UNKNOWN\]\n404$/);
    const before = await tell(mac);
    expect(before.node).toMatchObject({ phase: 'script', result: 'booting' });
    expect(before.earlier).toMatchObject([{ session: first.session, result: 'failed', fault }]);
    expect(before.failedLog).toMatchObject({ code: 'KEXEC_FAILED', log: 'kexec: out of memory\n' });
    await new Promise((resolve) => setTimeout(resolve, 1500));
    await end('SIGKILL');
    runtime = start();
    await expect.poll(tryStatus, soon).toMatchObject({ ready: true });
    expect(await tell(mac)).toEqual({ ...before, nowMs: expect.any(Number) });
    const told = await cli('node', mac);
    expect(told).toMatch(/boot of .* session [0-9a-f]{32}\n +0\.0 s {2}script +goes on/);
    expect(told).toContain('  | kexec: out of memory');
    expect(told).toMatch(/earlier boots, newest first \(1\)\n.*tiny@[0-9a-f]{12}.*failed {2}KEXEC_FAILED/);
    expect(await cli('nodes')).toMatch(/^52:54:00:89:00:01 {2}10\.89\.0\.1 {2}bios/m);
  });

  it('is stalled within 10 s of the last report, and no longer with the next one', async () => {
    const mac = '52:54:00:89:00:02';
    const { report } = await boot(mac);
    await report('download', { doneBytes: 1000, totalBytes: 200_000 });
    const diedAtMs = Date.now();
    expect((await nodeOf(mac)).stalledSinceMs).toBeUndefined();
    await expect.poll(() => nodeOf(mac), { timeout: 12_000, interval: 200 }).toMatchObject({ result: 'stalled' });
    expect(Date.now() - diedAtMs).toBeLessThan(10_000);
    expect((await status()).nodes.find((node) => node.mac === mac)).toMatchObject({ phase: 'download' });
    expect(await askSocket(controlSocketPath(statePath), '/metrics')).toContain('nodes_stalled{phase="download"} 1');
    expect(await cli('node', mac)).toContain('stalled in download');
    await report('download', { doneBytes: 2000, totalBytes: 200_000 });
    expect(await nodeOf(mac)).toMatchObject({ result: 'booting', percent: 1 });
  });

  it('is followed until the node is up', async () => {
    const mac = '52:54:00:89:00:03';
    const { report } = await boot(mac);
    const following = cli('node', mac, '--follow');
    await report('load');
    await report('executing');
    await new Promise((resolve) => setTimeout(resolve, 700));
    await report('up');
    const phases = [...(await following).matchAll(/^ +[0-9.]+ s {2}([a-z-]+)/gm)].map((match) => match[1]);
    expect(phases).toEqual(['script', 'load', 'executing', 'up']);
  });

  it('is what a person chose, once, by the next boot script, also when the runtime was restarted', async () => {
    const mac = '52:54:00:89:00:04';
    const { report } = await boot(mac);
    await report('menu');
    await report('rebooting', { image: 'disk' });
    await end('SIGKILL');
    runtime = start();
    await expect.poll(tryStatus, soon).toMatchObject({ ready: true });
    expect(await scriptOf(mac)).toContain('sanboot --no-describe --drive 0x80');
    expect(await nodeOf(mac)).toMatchObject({ image: 'disk', phase: 'executing', result: 'started' });
    expect(await scriptOf(mac)).toContain('kernel --name vmlinuz');
  });

  it('is an older release after three boots whose heartbeat did not come, until a newer one is published', async () => {
    const mac = '52:54:00:89:00:05';
    const good = await boot(mac);
    for (const phase of ['executing', 'up']) await good.report(phase);
    const revision = await commit({ 'images/tiny/rootfs': randomBytes(300_000) });
    await expect.poll(tryStatus, soon).toMatchObject({ revision });
    const versions = await failThreeTimes(mac, good.rootfs);
    const fallback = { image: 'tiny', ...versions, failedBoots: 3 };
    expect((await status()).nodes.find((node) => node.mac === mac)?.fallback).toEqual(fallback);
    expect(await cli('status')).toContain(
      `fell back to tiny@${versions.to} after 3 failed boots of tiny@${versions.from}`,
    );
    // The older release is verified and seeded before a node gets it.
    await expect.poll(async () => (await boot(mac)).rootfs, { timeout: 15_000, interval: 500 }).toBe(good.rootfs);
    expect((await boot('52:54:00:89:00:06')).rootfs).not.toBe(good.rootfs);
    const { ticket } = await boot(mac);
    expect(ticket.catalog).toBe(good.ticket.catalog);
    expect(await curl('-o', '/dev/null', '-w', '%{http_code}', `${url}/blob/${good.rootfs}/rootfs`)).toBe('200');
    const next = await commit({ 'images/tiny/rootfs': randomBytes(400_000) });
    await expect.poll(tryStatus, soon).toMatchObject({ revision: next });
    expect((await boot(mac)).rootfs).not.toBe(good.rootfs);
    expect((await nodeOf(mac)).fallback).toBeUndefined();
  });
});

/** @returns the versions of the image that failed, and of the one before it */
async function failThreeTimes(mac: string, goodRootfs: string): Promise<{ from: string; to: string }> {
  const to = (await nodeOf(mac)).version ?? '';
  for (let count = 1; count <= 3; count++) {
    const bad = await boot(mac);
    expect(bad.rootfs).not.toBe(goodRootfs);
    await bad.report('executing');
    if (count === 3) await expect.poll(() => nodeOf(mac), soon).toMatchObject({ fault: { code: 'HEARTBEAT_MISSING' } });
  }
  return { from: (await nodeOf(mac)).version ?? '', to };
}
