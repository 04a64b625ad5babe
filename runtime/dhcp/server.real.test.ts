import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { makeNetwork, type Network, run, type Speaker, speak } from './testdata/network.ts';

const pathOf = (name: string) => fileURLToPath(new URL(name, import.meta.url));
const launcher = pathOf('../sockets/launch.pl');
let directory: string;
let network: Network;
let server: Speaker;

async function startServer(): Promise<Speaker> {
  const leases = join(directory, 'leases.json');
  const serve = [process.execPath, pathOf('testdata/serve.ts'), 'lan0', 'full', leases];
  const speaker = speak(network.server, [
    'sh',
    '-c',
    `exec perl "$@" 2>${directory}/log`,
    'sh',
    launcher,
    'lan0',
    ...serve,
  ]);
  await speaker.said(({ kind }) => kind === 'ready');
  return speaker;
}

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'dhcp-test-'));
  // What udhcpc calls with its lease in the environment.
  await writeFile(
    join(directory, 'hook'),
    '#!/bin/sh\n[ "$1" = bound ] || exit 0\necho "$ip $subnet $router $dns $domain $lease $serverid" >"$LEASE_OUT"\n',
    { mode: 0o755 },
  );
  network = await makeNetwork('dh');
  server = await startServer();
});

afterAll(async () => {
  await server.end('SIGTERM');
  await network.remove();
  await rm(directory, { recursive: true });
});

async function macOf(space: string): Promise<string> {
  const { stdout } = await run('ip', ['-n', space, '-json', 'link', 'show', 'eth0']);
  return (JSON.parse(stdout) as [{ address: string }])[0].address;
}

/** One try of udhcpc; its lease as text, or undefined where nobody answered. */
async function udhcpc(space: string, ...more: readonly string[]): Promise<string | undefined> {
  const out = join(directory, `lease-${space}`);
  const argv = ['udhcpc', '-i', 'eth0', '-n', '-q', '-t', '2', '-T', '1', '-s', join(directory, 'hook'), ...more];
  try {
    await run('ip', ['netns', 'exec', space, ...argv], { env: { ...process.env, LEASE_OUT: out } });
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 1) return undefined;
    throw error;
  }
  return (await readFile(out, 'utf8')).trim();
}

/** What dhclient writes of its lease. */
async function dhclient(space: string): Promise<string> {
  const [leases, pid] = [join(directory, 'dhclient.leases'), join(directory, 'dhclient.pid')];
  await run('ip', ['netns', 'exec', space, 'dhclient', '-1', '-sf', '/bin/true', '-lf', leases, '-pf', pid, 'eth0']);
  await run('ip', ['netns', 'exec', space, 'dhclient', '-x', '-sf', '/bin/true', '-lf', leases, '-pf', pid, 'eth0']);
  return readFile(leases, 'utf8');
}

test('the server gives udhcpc and dhclient of one MAC the same address, on disk before the ACK', async () => {
  const lease = await udhcpc(network.lan);
  const address = lease?.split(' ')[0];
  expect(lease).toBe(`${address} 255.255.255.0 10.77.0.1 10.77.0.1 lab.test 120 10.77.0.1`);
  expect(address).toMatch(/^10\.77\.0\.1\d\d$/);
  const text = await dhclient(network.lan);
  expect(text).toContain(`fixed-address ${address};`);
  expect(text).toContain('option dhcp-lease-time 120;');
  expect(text).toContain('option domain-name "lab.test";');
  const mac = await macOf(network.lan);
  const [record] = (await readFile(join(directory, 'leases.json'), 'utf8')).split('\n');
  expect(JSON.parse(record!)).toMatchObject({ mac, address, state: 'bound' });
  const event = { kind: 'dhcp', mac, speaker: 'os', request: 'request', answer: 'ack', address };
  expect(server.lines).toContainEqual(expect.objectContaining(event));
});

test('the server never answers on the other interface, and its broadcasts do not leave there', async () => {
  const listen = `
    const socket = require('node:dgram').createSocket('udp4');
    socket.on('message', (bytes) => console.log(JSON.stringify({ kind: 'heard', bytes: bytes.length })));
    socket.bind(68, () => console.log(JSON.stringify({ kind: 'ready' })));`;
  const before = server.lines.length;
  expect(await udhcpc(network.other)).toBeUndefined();
  expect(server.lines.slice(before)).toEqual([]);
  const listener = speak(network.other, [process.execPath, '-e', listen]);
  await listener.said(({ kind }) => kind === 'ready');
  expect(await udhcpc(network.lan)).toBeDefined();
  // A datagram that does come, so that silence is not deafness.
  const knock = "require('node:dgram').createSocket('udp4').send('x', 68, '10.88.0.2', () => process.exit())";
  await run('ip', ['-n', network.other, 'addr', 'add', '10.88.0.2/24', 'dev', 'eth0']);
  await run('ip', ['netns', 'exec', network.server, process.execPath, '-e', knock]);
  await listener.said(({ kind }) => kind === 'heard');
  expect(listener.lines.filter(({ kind }) => kind === 'heard')).toEqual([{ kind: 'heard', bytes: 1 }]);
  await listener.end('SIGTERM');
});

test('the server gives the same address after it was killed', async () => {
  // An address that a new table would not give this MAC: only the file can know it.
  await run('ip', ['-n', network.lan, 'link', 'set', 'eth0', 'address', '52:54:00:00:00:77']);
  const before = await udhcpc(network.lan, '-r', '10.77.0.177');
  expect(before).toMatch(/^10\.77\.0\.177 /);
  await server.end('SIGKILL');
  server = await startServer();
  expect(await udhcpc(network.lan)).toBe(before);
});

test('the server refuses to start where its sockets would hear another interface', async () => {
  const serve = [process.execPath, pathOf('testdata/serve.ts'), 'lan0', 'full', join(directory, 'no')];
  for (const argv of [serve, ['perl', launcher, 'other0', ...serve]]) {
    const failed = run('ip', ['netns', 'exec', network.server, ...argv]).then(
      () => 'started',
      (error: { stderr: string }) => error.stderr,
    );
    expect(await failed).toContain("code: 'INTERFACE_NOT_BOUND'");
  }
});
