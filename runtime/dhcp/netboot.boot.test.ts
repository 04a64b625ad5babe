import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { run, type Speaker, speak } from './testdata/network.ts';

const pathOf = (name: string) => fileURLToPath(new URL(name, import.meta.url));

/** A bridge `lan0` with our address, a tap for a machine, and a site's own DHCP server behind `peer`. */
async function makeLan(space: string, peer: string): Promise<void> {
  const ip = (...argv: readonly string[]) => run('ip', argv);
  await ip('netns', 'add', space);
  await ip('netns', 'add', peer);
  await ip('-n', space, 'link', 'add', 'lan0', 'type', 'bridge', 'stp_state', '0', 'forward_delay', '0');
  await ip('-n', space, 'addr', 'add', '10.77.0.1/24', 'dev', 'lan0');
  await ip('-n', space, 'link', 'set', 'lan0', 'up');
  await ip('-n', space, 'tuntap', 'add', 'tap0', 'mode', 'tap');
  await ip('-n', space, 'link', 'set', 'tap0', 'master', 'lan0', 'up');
  await ip('-n', space, 'link', 'add', 'veth0', 'type', 'veth', 'peer', 'name', 'eth0', 'netns', peer);
  await ip('-n', space, 'link', 'set', 'veth0', 'master', 'lan0', 'up');
  await ip('-n', peer, 'addr', 'add', '10.77.0.2/24', 'dev', 'eth0');
  await ip('-n', peer, 'link', 'set', 'eth0', 'up');
}

function startMachine(space: string): ChildProcess {
  const network = ['-netdev', 'tap,id=n0,ifname=tap0,script=no,downscript=no'];
  const card = ['-device', 'virtio-net-pci,netdev=n0,mac=52:54:00:77:00:10', '-boot', 'n'];
  const argv = ['-accel', 'tcg', '-m', '128', '-display', 'none', '-no-reboot', ...network, ...card];
  return spawn('ip', ['netns', 'exec', space, 'qemu-system-x86_64', ...argv], { stdio: 'ignore' });
}

function startSiteDhcp(peer: string): ChildProcess {
  const range = ['--dhcp-range=10.77.0.50,10.77.0.60,1h', '--leasefile-ro', '--no-ping'];
  const argv = ['-d', '-C', '/dev/null', '--port=0', '--pid-file=', '--interface=eth0', '--bind-interfaces', ...range];
  return spawn('ip', ['netns', 'exec', peer, 'dnsmasq', ...argv], { stdio: 'ignore' });
}

async function endAll(children: readonly ChildProcess[]): Promise<void> {
  for (const child of children) {
    if (child.exitCode !== null) continue;
    const closed = once(child, 'close');
    child.kill('SIGTERM');
    await closed;
  }
}

/** Boots one machine and gives all that the servers said until it asked for its script for the second time. */
async function bootOnce(mode: 'full' | 'proxy'): Promise<readonly Record<string, unknown>[]> {
  const [space, peer] = [`nb${process.pid}${mode}`, `nb${process.pid}${mode}d`];
  const directory = await mkdtemp(join(tmpdir(), 'netboot-test-'));
  const children: ChildProcess[] = [];
  let server: Speaker | undefined;
  try {
    await makeLan(space, peer);
    if (mode === 'proxy') children.push(startSiteDhcp(peer));
    const serve = [process.execPath, pathOf('testdata/serve.ts'), 'lan0', mode, join(directory, 'leases')];
    const bound = [pathOf('../sockets/launch.pl'), 'lan0', ...serve];
    server = speak(space, ['sh', '-c', `exec perl "$@" 2>${directory}/log`, 'sh', ...bound]);
    await server.said(({ kind }) => kind === 'ready');
    children.push(startMachine(space));
    await server.said(
      (line) => line.kind === 'http' && server?.lines.filter(({ kind }) => kind === 'http').length === 2,
    );
    return server.lines;
  } finally {
    await endAll(children);
    await server?.end('SIGTERM');
    for (const name of [space, peer]) await run('ip', ['netns', 'del', name]);
    await rm(directory, { recursive: true });
  }
}

test('a BIOS machine with iPXE gets address and script from us alone, in one exchange', async () => {
  const lines = await bootOnce('full');
  const exchange = lines.filter(({ kind }) => kind === 'dhcp').map(({ request, answer }) => `${request} ${answer}`);
  expect(exchange).toEqual(['discover offer', 'request ack']);
  const urls = lines.filter(({ kind }) => kind === 'http').map(({ url }) => url);
  expect(urls).toEqual(new Array(2).fill('/boot/52-54-00-77-00-10/bios.ipxe'));
});

test('a BIOS machine with iPXE gets its address from the DHCP server of the site and the script from us', async () => {
  const lines = await bootOnce('proxy');
  const answers = lines.filter(({ kind }) => kind === 'dhcp');
  expect(answers).toContainEqual(expect.objectContaining({ request: 'discover', answer: 'offer' }));
  expect(answers.filter(({ address }) => address !== undefined)).toEqual([]);
  expect(lines).toContainEqual(expect.objectContaining({ kind: 'http', url: '/boot/52-54-00-77-00-10/bios.ipxe' }));
});
