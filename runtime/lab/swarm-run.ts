import { type ChildProcess, spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import { encodeMetainfo, type TorrentFile, withAnnounce } from '#bundle/metainfo.ts';
import { type SeedBundle, seedBundle } from '../swarm/seed-bundle.ts';
import { inside } from './network.ts';
import type { OriginResult, OriginSettings } from './swarm-origin.ts';

/** A torrent of random bytes, on disk for an origin and in memory for nodes. */
export interface RandomBundle {
  readonly torrent: Uint8Array;
  readonly bundle: SeedBundle;
  readonly sizeBytes: number;
  readonly sha256: ReadonlyMap<string, string>;
}

export async function createRandomBundle(
  path: string,
  options: { readonly name: string; readonly pieceLengthBytes: number; readonly files: readonly TorrentFile[] },
): Promise<RandomBundle> {
  await mkdir(path, { recursive: true });
  const contents = options.files.map((file) => randomBytes(file.sizeBytes));
  const paths = options.files.map((file) => join(path, file.name));
  for (const [index, bytes] of contents.entries()) await writeFile(paths[index] ?? '', bytes);
  const all = Buffer.concat(contents);
  const hashes: Buffer[] = [];
  for (let at = 0; at < all.length; at += options.pieceLengthBytes) {
    hashes.push(
      createHash('sha1')
        .update(all.subarray(at, at + options.pieceLengthBytes))
        .digest(),
    );
  }
  const torrent = encodeMetainfo({ ...options, pieces: new Uint8Array(Buffer.concat(hashes)) });
  const names = options.files.map((file) => file.name);
  return {
    torrent,
    bundle: seedBundle(torrent, new Map(names.map((name, index) => [name, paths[index] ?? '']))),
    sizeBytes: all.length,
    sha256: new Map(
      names.map((name, index) => [
        name,
        createHash('sha256')
          .update(contents[index] ?? '')
          .digest('hex'),
      ]),
    ),
  };
}

/** Starts the origin in a namespace; `stop` returns what it sent. */
export async function startOrigin(
  namespace: string,
  settings: OriginSettings,
): Promise<{ stop(): Promise<OriginResult> }> {
  const program = new URL('./swarm-origin.ts', import.meta.url).pathname;
  const [command = '', ...argv] = inside(namespace, [process.execPath, program]);
  const child = spawn(command, argv, { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout });
  child.stdin.write(`${JSON.stringify(settings)}\n`);
  await nextLine(lines, child);
  return {
    async stop() {
      const line = nextLine(lines, child);
      child.stdin.end();
      return JSON.parse(await line) as OriginResult;
    },
  };
}

/** How a node downloads with aria2: what the options are for stands in the bootstrap, which uses the same. */
export const aria2Options = [
  '--no-conf=true',
  '--enable-dht=false',
  '--enable-dht6=false',
  '--bt-enable-lpd=false',
  '--enable-peer-exchange=false',
  '--disable-ipv6=true',
  '--listen-port=6881-6889',
  '--bt-max-peers=0',
  '--bt-request-peer-speed-limit=1000M',
  '--seed-ratio=0.0',
  '--file-allocation=none',
  '--allow-overwrite=true',
  '--auto-file-renaming=false',
  '--auto-save-interval=0',
  '--summary-interval=0',
  '--show-console-readout=false',
  '--console-log-level=warn',
] as const;

/** One aria2 that downloads a torrent, and goes on seeding until it is stopped. */
export interface Aria2Node {
  readonly directory: string;
  /** Resolves as soon as all files are complete. */
  readonly complete: Promise<void>;
  stop(): Promise<void>;
}

export async function startAria2(options: {
  readonly namespace: string;
  readonly directory: string;
  readonly torrent: Uint8Array;
  readonly tracker: string;
  readonly more?: readonly string[];
}): Promise<Aria2Node> {
  const { namespace, directory, more = [] } = options;
  await mkdir(directory, { recursive: true });
  const torrent = join(directory, 'bundle.torrent');
  await writeFile(torrent, withAnnounce(options.torrent, options.tracker));
  const hook = join(directory, 'complete.sh');
  await writeFile(hook, '#!/bin/sh\necho complete\n', { mode: 0o755 });
  const hooks = [`--on-bt-download-complete=${hook}`, '--download-result=hide'];
  const argv = ['aria2c', ...aria2Options, ...hooks, ...more, `--dir=${directory}`, torrent];
  const [command = '', ...rest] = inside(namespace, argv);
  const child = spawn(command, rest, { stdio: ['ignore', 'pipe', 'inherit'] });
  return { directory, complete: untilComplete(child), stop: () => end(child) };
}

/** SHA-256 of a file that a node has downloaded, in hexadecimal digits. */
export async function sha256Of(path: string): Promise<string> {
  return createHash('sha256')
    .update(await readFile(path))
    .digest('hex');
}

function untilComplete(child: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    let said = '';
    child.stdout?.on('data', (chunk: Buffer) => {
      said += String(chunk);
      if (said.includes('complete')) resolve();
    });
    child.on('exit', (status) => reject(new Error(`aria2 ended with ${status}: ${said}`)));
  });
}

function end(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) return resolve();
    child.on('exit', () => resolve());
    child.kill('SIGKILL');
  });
}

function nextLine(lines: Interface, child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    lines.once('line', resolve);
    child.once('exit', (status) => reject(new Error(`the origin ended with ${status}`)));
  });
}
