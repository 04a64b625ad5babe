import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createSwarmNetwork, type SwarmNetwork } from '../lab/swarm-network.ts';
import {
  type Aria2Node,
  createRandomBundle,
  type RandomBundle,
  sha256Of,
  startAria2,
  startOrigin,
} from '../lab/swarm-run.ts';

const mib = 1024 * 1024;
let directory = '';
let network: SwarmNetwork | undefined;
let running: Aria2Node[] = [];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'bt-swarm-'));
});

afterEach(async () => {
  await Promise.all(running.map((node) => node.stop()));
  running = [];
  await network?.remove();
  network = undefined;
  await rm(directory, { recursive: true, force: true });
});

/** A network whose links are slow enough that the origin's is what limits, with an origin in it. */
async function start(bundle: RandomBundle, options: { nodes: number; mbit?: number; windowPieces?: number }) {
  const made = await createSwarmNetwork({ id: String(process.pid), ...options });
  network = made;
  const { namespace, address } = made.server;
  const limits = options.windowPieces !== undefined && { windowPieces: options.windowPieces };
  const origin = await startOrigin(namespace, {
    host: address,
    trackerPort: 8480,
    bundles: [bundle.bundle],
    ...limits,
  });
  return {
    origin,
    network: made,
    tracker: (node: number) => `http://${address}:8480/announce/${String(node).padStart(32, '0')}`,
  };
}

async function download(
  bundle: RandomBundle,
  about: { network: SwarmNetwork; tracker: (node: number) => string; node: number },
) {
  const { namespace = '' } = about.network.nodes[about.node] ?? {};
  const home = join(directory, `node${about.node}`);
  const node = await startAria2({
    namespace,
    directory: home,
    torrent: bundle.torrent,
    tracker: about.tracker(about.node),
  });
  running.push(node);
  return node;
}

async function expectSameFiles(bundle: RandomBundle, node: Aria2Node): Promise<void> {
  for (const [name, digest] of bundle.sha256) {
    expect(await sha256Of(join(node.directory, bundle.bundle.name, name))).toBe(digest);
  }
}

/** Three files, one of them empty, whose bounds are no bounds of pieces. */
function threeFiles(sizeBytes: number): Promise<RandomBundle> {
  return createRandomBundle(join(directory, 'blobs'), {
    name: 'debian',
    pieceLengthBytes: 256 * 1024,
    files: [
      { name: 'initrd.img', sizeBytes: 3_000_001 },
      { name: 'note', sizeBytes: 0 },
      { name: 'rootfs.squashfs', sizeBytes: sizeBytes - 3_000_001 },
    ],
  });
}

test('aria2 downloads all files of a bundle from the origin, found by the tracker', async () => {
  const bundle = await threeFiles(20 * mib + 5);
  const swarm = await start(bundle, { nodes: 1 });
  const node = await download(bundle, { ...swarm, node: 0 });
  await node.complete;
  await expectSameFiles(bundle, node);
  const { sentBytes, announces } = await swarm.origin.stop();
  expect(Object.values(sentBytes).reduce((total, bytes) => total + bytes, 0)).toBeGreaterThanOrEqual(bundle.sizeBytes);
  expect(announces).toBeGreaterThan(0);
});

test('four nodes that share the link of the origin take at most 1.5 copies from it', async () => {
  const bundle = await threeFiles(40 * mib);
  const swarm = await start(bundle, { nodes: 4, mbit: 80 });
  const nodes = await Promise.all([0, 1, 2, 3].map((node) => download(bundle, { ...swarm, node })));
  await Promise.all(nodes.map((node) => node.complete));
  for (const node of nodes) await expectSameFiles(bundle, node);
  const { sentBytes, peakMemoryBytes } = await swarm.origin.stop();
  const copies = Object.values(sentBytes).reduce((total, bytes) => total + bytes, 0) / bundle.sizeBytes;
  expect(peakMemoryBytes).toBeLessThan(200 * mib);
  expect(Object.keys(sentBytes)).toHaveLength(4);
  expect(copies).toBeLessThan(1.5);
});
