import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { withAnnounce } from '#bundle/metainfo.ts';
import { inside } from '../lab/network.ts';
import { createSwarmNetwork, type SwarmNetwork } from '../lab/swarm-network.ts';
import { createRandomBundle, type RandomBundle, sha256Of, startOrigin } from '../lab/swarm-run.ts';

// In namespaces, not on loopback: webtorrent listens on every address that it finds.
const program = new URL('./testdata/webtorrent-peer.ts', import.meta.url).pathname;
const pieceLengthBytes = 256 * 1024;
let directory = '';
let bundle: RandomBundle;
let network: SwarmNetwork | undefined;
let children: ChildProcess[] = [];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'bt-webtorrent-'));
  const files = [
    { name: 'kernel', sizeBytes: 3_000_001 },
    { name: 'note', sizeBytes: 0 },
    { name: 'rootfs.squashfs', sizeBytes: 5_000_005 },
  ];
  bundle = await createRandomBundle(join(directory, 'blobs'), { name: 'debian', pieceLengthBytes, files });
});

afterEach(async () => {
  const left = children.filter((child) => child.exitCode === null && child.signalCode === null);
  for (const child of left) child.kill('SIGKILL');
  await Promise.all(left.map((child) => once(child, 'exit')));
  children = [];
  await network?.remove();
  network = undefined;
  await rm(directory, { recursive: true, force: true });
});

/** Origin and tracker in the server's namespace, and one webtorrent for each node, on links that take a second or two. */
async function start(nodes: number) {
  network = await createSwarmNetwork({ id: `w${process.pid % 100_000}`, nodes, mbit: 40 });
  const host = network.server.address;
  const settings = { host, trackerPort: 8480, bundles: [bundle.bundle] };
  const origin = await startOrigin(network.server.namespace, settings);
  const peers = network.nodes.map(({ namespace }, node) => {
    const tracker = `http://${host}:8480/announce/${String(node).padStart(32, '0')}`;
    return startWebtorrent({ namespace, tracker, home: join(directory, `node${node}`) });
  });
  return { origin, peers: await Promise.all(peers) };
}

/** `stop` returns the bytes that it sent to others. */
async function startWebtorrent({ namespace, tracker, home }: { namespace: string; tracker: string; home: string }) {
  await mkdir(home);
  const torrent = join(home, 'bundle.torrent');
  await writeFile(torrent, withAnnounce(bundle.torrent, tracker));
  const [command = '', ...argv] = inside(namespace, [process.execPath, program, torrent, home]);
  const child = spawn(command, argv, { stdio: ['pipe', 'pipe', 'inherit'] });
  children.push(child);
  const lines = createInterface({ input: child.stdout });
  return {
    home,
    complete: once(lines, 'line'),
    async stop(): Promise<number> {
      child.stdin.end();
      const [[line], [status]] = await Promise.all([once(lines, 'line'), once(child, 'exit')]);
      expect(status).toBe(0);
      return Number(line);
    },
  };
}

async function expectSameFiles(home: string): Promise<void> {
  for (const [name, digest] of bundle.sha256) {
    expect(await sha256Of(join(home, bundle.bundle.name, name)), name).toBe(digest);
  }
}

test('webtorrent downloads all files of a bundle from the origin, found by the tracker', async () => {
  const { origin, peers } = await start(1);
  for (const { complete, home } of peers) {
    expect(await complete).toEqual(['complete']);
    await expectSameFiles(home);
  }
  const { sentBytes, announces } = await origin.stop();
  expect(Object.keys(sentBytes)).toEqual([network?.nodes[0]?.address]);
  expect(sum(Object.values(sentBytes))).toBeGreaterThanOrEqual(bundle.sizeBytes);
  expect(announces).toBeGreaterThan(0);
});

test('two webtorrents give each other pieces that the origin gave only one of them', async () => {
  const { origin, peers } = await start(2);
  for (const { complete, home } of peers) {
    expect(await complete).toEqual(['complete']);
    await expectSameFiles(home);
  }
  const given = await Promise.all(peers.map((peer) => peer.stop()));
  const { sentBytes } = await origin.stop();
  for (const bytes of given) expect(bytes).toBeGreaterThan(pieceLengthBytes);
  expect(sum(Object.values(sentBytes)) / bundle.sizeBytes).toBeLessThan(1.5);
});

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
