import { execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, open, readFile, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { ImageRelease, Release } from '#bundle/catalog.ts';
import type { Digest } from '#bundle/digest.ts';
import { formatManifest, type Manifest } from '#bundle/manifest.ts';
import { readDefinitions } from '#definition/definitions.ts';
import { resolveCommit, revisionFiles } from '#definition/revision-files.ts';
import { imageRelease } from '#pipeline/build.ts';
import { layOut } from '#pipeline/layout.ts';
import { packBundle } from '#pipeline/pack.ts';
import { publish } from '#pipeline/publish.ts';
import { openKeyPair } from '#pipeline/sign.ts';
import { makeTorrent } from '#pipeline/torrent.ts';
import { openStore } from '#store/local.ts';
import type { Store } from '#store/store.ts';
import { openVerified } from '#store/verified.ts';
import { askSocket } from '../http/ask-socket.ts';
import { controlSocketPath } from '../state-lock.ts';

export interface ColdStart {
  /** From the start of the process until a node would be served. */
  readonly seconds: number;
  /** Most memory that the process had until two seconds later. */
  readonly peakBytes: number;
}

const imageBytes = 2 * 1024 ** 3;
const markBytes = 8;
const runtimeFolder = fileURLToPath(new URL('..', import.meta.url));

/** Starts a runtime on a store with so many images of 2 GiB; it has seen them before, as after a restart. */
export async function measureColdStart(directory: string, images: number): Promise<ColdStart> {
  const site = join(directory, 'cold-site');
  const statePath = join(directory, 'state');
  await prepare({ site, statePath, images });
  const namespace = `bt-cold-${process.pid}`;
  const ip = (...argv: string[]) => execFileSync('ip', argv, { stdio: 'ignore' });
  ip('netns', 'add', namespace);
  try {
    ip('-n', namespace, 'link', 'add', 'eth1', 'type', 'veth', 'peer', 'name', 'eth0');
    ip('-n', namespace, 'addr', 'add', '10.89.0.1/24', 'dev', 'eth1');
    for (const device of ['lo', 'eth0', 'eth1']) ip('-n', namespace, 'link', 'set', device, 'up');
    // The first start makes the mirror of the repository.
    await startOnce({ namespace, site, statePath, images });
    return await startOnce({ namespace, site, statePath, images });
  } finally {
    ip('netns', 'del', namespace);
  }
}

interface Place {
  readonly site: string;
  readonly statePath: string;
  readonly images: number;
}

async function startOnce({ namespace, site, statePath, images }: Place & { namespace: string }): Promise<ColdStart> {
  const run = [process.execPath, join(runtimeFolder, 'testdata/run.ts'), join(site, 'boot.config.yaml'), statePath];
  const launch = ['netns', 'exec', namespace, 'perl', join(runtimeFolder, 'sockets/launch.pl'), 'eth1', ...run];
  const startMs = performance.now();
  const child = spawn('ip', launch, { stdio: ['ignore', 'ignore', 'ignore'] });
  const ended = once(child, 'close');
  try {
    await untilReady(statePath, images);
    const seconds = (performance.now() - startMs) / 1000;
    await sleep(2000);
    const text = await readFile(`/proc/${child.pid}/status`, 'utf8');
    return { seconds, peakBytes: Number(/^VmHWM:\s+(\d+) kB/m.exec(text)?.[1]) * 1024 };
  } finally {
    child.kill('SIGTERM');
    await ended;
  }
}

async function untilReady(statePath: string, images: number): Promise<void> {
  const socket = controlSocketPath(statePath);
  for (const end = performance.now() + 120_000; performance.now() < end; await sleep(5)) {
    const text = await askSocket(socket, '/v1/status').catch(() => undefined);
    if (text === undefined) continue;
    const { ready, images: served } = JSON.parse(text) as { ready: boolean; images: readonly unknown[] };
    if (ready && served.length === images) return;
  }
  throw new Error('The runtime was not ready within two minutes');
}

async function prepare({ site, statePath, images }: Place): Promise<void> {
  await makeSite(site, images);
  const store = await openStore(join(statePath, 'store'));
  const { key } = await openKeyPair(statePath);
  const commit = await resolveCommit(site, 'HEAD');
  const files = await revisionFiles(site, { revision: commit.revision });
  const { definitions, faults } = await readDefinitions(files);
  await files.close();
  if (!definitions) throw new AggregateError(faults);
  const hollow = await openHollowFiles(store);
  const releases: ImageRelease[] = [];
  for (const [index, image] of definitions.images.entries()) {
    releases.push(imageRelease(image, await hollowRelease(store, image.name, await hollow(index)), imageBytes));
  }
  const about = { kind: 'bootstrap', name: 'bootstrap', arch: 'amd64', kernelRelease: '6.12', files: [] } as const;
  const bootstraps = [await packBundle(store, about)];
  await publish({ definitions, commit, bootstraps, parts: [], images: releases, store, key, nowMs: Date.now() });
}

async function makeSite(path: string, images: number): Promise<void> {
  await mkdir(path, { recursive: true });
  const network = 'network: { interface: eth1, dhcp: { mode: off } }';
  await writeFile(
    join(path, 'boot.config.yaml'),
    `site: bench\n${network}\ngit: { poll: 1h }\nmenu: { default: image-0 }\n`,
  );
  const origin = `{ url: "https://example.invalid/rootfs", sha256: "${'0'.repeat(64)}" }`;
  for (let index = 0; index < images; index++) {
    await mkdir(join(path, `images/image-${index}`), { recursive: true });
    const source = `source: { files: { rootfs: [${origin}] } }`;
    const text = `title: Image ${index}\narch: amd64\nmethod: switch-root\nswitch-root: { modules: none }\n${source}\n`;
    await writeFile(join(path, `images/image-${index}/image.yaml`), text);
  }
  const git = (...argv: string[]) =>
    execFileSync('git', ['-C', path, '-c', 'user.name=b', '-c', 'user.email=b@c', ...argv]);
  git('init', '-q', '-b', 'main');
  git('add', '.');
  git('commit', '-q', '-m', 'images');
}

interface HollowFile {
  readonly sha256: Digest;
  readonly pieces: Uint8Array;
}

/**
 * Makes files of 2 GiB in a store that take no room on the disk and differ in their last bytes only: the zeros before are
 * hashed once for all of them. They count as verified, as after a run before.
 */
async function openHollowFiles(store: Store): Promise<(index: number) => Promise<HollowFile>> {
  const { pieceLengthBytes } = layOut([{ name: 'rootfs', sizeBytes: imageBytes }]);
  const zeros = Buffer.alloc(pieceLengthBytes);
  const whole = createHash('sha256');
  const pieceCount = imageBytes / pieceLengthBytes;
  for (let piece = 1; piece < pieceCount; piece++) whole.update(zeros);
  whole.update(zeros.subarray(markBytes));
  const sha1 = (bytes: Uint8Array) => createHash('sha1').update(bytes).digest();
  const before = Buffer.alloc(20 * (pieceCount - 1), sha1(zeros));
  let last = 0;
  const verified = await openVerified(join(store.path, 'verified.json'), () =>
    join(store.path, 'tmp', `${process.pid}-${last++}`),
  );
  return async (index) => {
    const mark = Buffer.alloc(markBytes, index + 1);
    const sha256 = whole.copy().update(mark).digest('hex') as Digest;
    const path = store.blobPath(sha256);
    await mkdir(dirname(path), { recursive: true });
    const file = await open(path, 'w', 0o444);
    await file.write(mark, 0, markBytes, imageBytes - markBytes);
    await file.close();
    await verified.remember(sha256, await stat(path, { bigint: true }));
    return { sha256, pieces: Buffer.concat([before, sha1(Buffer.concat([zeros.subarray(markBytes), mark]))]) };
  };
}

async function hollowRelease(store: Store, name: string, { sha256, pieces }: HollowFile): Promise<Release> {
  const files = [{ name: 'rootfs', role: 'rootfs', sizeBytes: imageBytes, sha256 }] as const;
  const about = { kind: 'image', name, arch: 'amd64', method: 'switch-root', memoryBytes: imageBytes } as const;
  const manifest: Manifest = { format: 1, ...about, files };
  const { pieceLengthBytes } = layOut(files);
  const { bytes, infoHash } = makeTorrent({ name, pieceLengthBytes, files, pieces });
  const torrent = { ...(await store.putBytes(bytes)), infoHash };
  return {
    name,
    arch: 'amd64',
    manifest: await store.putBytes(Buffer.from(formatManifest(manifest))),
    sizeBytes: imageBytes,
    torrent,
  };
}
