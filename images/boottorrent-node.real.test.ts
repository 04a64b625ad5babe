import { execFileSync, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type BootReport, parseReport } from '#bundle/boot-report.ts';

const script = join(import.meta.dirname, 'debian/overlay/usr/local/sbin/boottorrent-node');
const session = { SESSION: 'a'.repeat(32), MAC: '52:54:00:d1:00:01' };
const heard: BootReport[] = [];
let status = 200;
let directory = '';
let server: Server;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'boottorrent-node-'));
  server = createServer(async (request, response) => {
    heard.push(parseReport(await text(request)));
    response.writeHead(status).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const lines = Object.entries({ SERVER: `http://127.0.0.1:${port}`, ...session }).map(
    ([key, value]) => `${key}=${value}`,
  );
  await writeFile(join(directory, 'session'), `${lines.join('\n')}\n`);
});
afterAll(async () => {
  server.close();
  await rm(directory, { recursive: true });
});

/** In a mount namespace of its own: the script reads /run/boottorrent. Only the named programs are to be found. */
async function run(argument: string, programs: readonly string[]): Promise<number | null> {
  const path = join(directory, `${programs.join('-')}-bin`);
  await mkdir(path, { recursive: true });
  for (const name of ['sh', 'sed', 'tr', 'sleep', ...programs]) {
    const found = execFileSync('sh', ['-c', `command -v ${name}`], { encoding: 'utf8' }).trim();
    await symlink(found, join(path, name)).catch(() => undefined);
  }
  const prepare = `mount -t tmpfs tmpfs /run && mkdir /run/boottorrent && cp '${directory}/session' /run/boottorrent/`;
  const enter = [
    '--mount',
    '--propagation',
    'private',
    'sh',
    '-c',
    `${prepare} && PATH='${path}' '${script}' ${argument}`,
  ];
  const child = spawn('unshare', enter, { stdio: ['ignore', 'ignore', 'inherit'] });
  return new Promise((resolve) => child.once('close', resolve));
}

it.each([['curl'], ['wget'], ['bash']])('boottorrent-node reports up with nothing but %s', async (program) => {
  heard.length = 0;
  status = 200;
  expect(await run('once', [program])).toBe(0);
  expect(heard).toMatchObject([{ session: session.SESSION, mac: session.MAC, phase: 'up' }]);
  const uptimeMs = Number(readFileSync('/proc/uptime', 'utf8').split(' ')[0]) * 1000;
  expect(Math.abs((heard[0]?.uptimeMs ?? 0) - uptimeMs)).toBeLessThan(10_000);
});

it.each([['curl'], ['wget'], ['bash']])(
  'boottorrent-node is not heard when the server refuses (%s)',
  async (program) => {
    status = 503;
    expect(await run('once', [program])).not.toBe(0);
  },
);

it('boottorrent-node tries again until it is heard', async () => {
  heard.length = 0;
  status = 503;
  const ended = run('', ['bash', 'timeout']);
  while (heard.length < 2) await new Promise((resolve) => setTimeout(resolve, 50));
  status = 200;
  expect(await ended).toBe(0);
});

it('every image that sends a heartbeat has the same script and unit', () => {
  for (const file of [
    'usr/local/sbin/boottorrent-node',
    'etc/systemd/system/boottorrent-node.service',
    'etc/systemd/system/multi-user.target.d/boottorrent-node.conf',
  ]) {
    const [first, second] = ['debian', 'debian-kexec'].map((name) =>
      readFileSync(join(import.meta.dirname, name, 'overlay', file), 'utf8'),
    );
    expect(second).toBe(first);
  }
});
