import { Fault } from '#bundle/fault.ts';
import type { ManifestFile } from '#bundle/manifest.ts';
import { startAria2 } from '../swarm-node/aria2.ts';
import type { SwarmNode, TorrentState } from '../swarm-node/swarm-node.ts';
import { lastLine } from './command.ts';
import type { Host } from './host.ts';
import { startDownload } from './http.ts';
import { type Delivery, deliveredPath } from './phases.ts';
import type { Reporter } from './reporter.ts';

export interface DownloadOptions {
  readonly server: string;
  /** The tmpfs. Torrents lie there as `torrents/<folder>.torrent`. */
  readonly root: string;
  readonly totalBytes: number;
  readonly reporter: Reporter;
}

const reportEveryMs = 5000;
const printEveryMs = 2000;
/** Without a byte for this long (plus up to half, so that a room does not turn to the server at once): plain HTTP. */
const stallMs = 20_000;
/** Bytes that never make a good piece: a peer sends garbage, or the torrent is not of these files. */
const uselessMs = 120_000;

/**
 * Brings all files, by the swarm as long as it makes progress, else by HTTP from the server. Nothing of them is
 * believed yet.
 * @returns the client that goes on seeding; undefined when it is not running
 * @throws Fault `DOWNLOAD_FAILED`
 */
export function download(host: Host, deliveries: readonly Delivery[], options: DownloadOptions): SwarmNode | undefined {
  const { reporter } = options;
  let swarm: SwarmNode | undefined;
  try {
    swarm = startAria2(host, { command: ['aria2c'] });
    for (const { folder } of deliveries) {
      swarm.add({ torrentPath: torrentPath(options.root, folder), directory: `${options.root}/files/${folder}` });
    }
    const reason = waitForSwarm(host, swarm, options);
    if (reason === undefined) return swarm;
    reporter.say('download', `the swarm makes no progress (${reason}): fetching by HTTP`);
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    reporter.say('download', `${error.message}: fetching by HTTP`);
  }
  swarm?.stop();
  fetchByHttp(host, deliveries, options);
  return undefined;
}

/** Where the checked torrent of a delivery lies. */
export function torrentPath(root: string, folder: string): string {
  return `${root}/torrents/${folder}.torrent`;
}

/** `45 %   23.1 MB/s   28 of 62 MB` */
export function formatProgress(done: number, total: number, rate: number): string {
  const percent = total === 0 ? 100 : Math.floor((done * 100) / total);
  const megabytes = (bytes: number) => (bytes / 1e6).toFixed(1);
  return `${percent} %  ${megabytes(rate)} MB/s  ${megabytes(done)} of ${megabytes(total)} MB`;
}

/** @returns why it makes no progress; undefined when everything is there */
function waitForSwarm(host: Host, swarm: SwarmNode, options: DownloadOptions): string | undefined {
  const patience = openPatience(host);
  const progress = openProgress(host, options);
  for (;;) {
    const states = swarm.states() ?? [];
    const doneBytes = sum(states, (state) => state.doneBytes);
    const rate = sum(states, (state) => state.receiveBytesPerSecond);
    if (states.length > 0 && states.every((state) => state.isComplete)) {
      progress.show({ doneBytes: options.totalBytes, rate, isLast: true });
      return undefined;
    }
    const error = swarm.ended() ?? states.find((state) => state.error !== undefined)?.error;
    const reason = error ?? patience.endsWith({ doneBytes, rate });
    if (reason !== undefined) return reason;
    const peers = sum(states, (state) => state.peers);
    progress.show({ doneBytes, rate, note: `${peers} peers` });
    host.sleep(doneBytes === 0 ? 250 : 500);
  }
}

/** When to give the swarm up: no byte comes in, or bytes come in but no piece of them is ever right. */
function openPatience(host: Host) {
  const silentMs = stallMs * (1 + Math.random() / 2);
  let byteAtMs = host.uptimeMs();
  let best = { doneBytes: 0, atMs: host.uptimeMs() };
  return {
    endsWith({ doneBytes, rate }: { doneBytes: number; rate: number }): string | undefined {
      const nowMs = host.uptimeMs();
      if (doneBytes > best.doneBytes) best = { doneBytes, atMs: nowMs };
      if (rate > 0 || best.atMs === nowMs) byteAtMs = nowMs;
      if (nowMs - byteAtMs > silentMs) return `no byte for ${Math.round(silentMs / 1000)} s`;
      return nowMs - best.atMs > uselessMs ? `no good piece for ${uselessMs / 1000} s` : undefined;
    },
  };
}

function sum(states: readonly TorrentState[], value: (state: TorrentState) => number): number {
  return states.reduce((total, state) => total + value(state), 0);
}

/** Each file from the start: what the swarm left has holes. */
function fetchByHttp(host: Host, deliveries: readonly Delivery[], options: DownloadOptions): void {
  const progress = openProgress(host, options);
  let beforeBytes = 0;
  for (const delivery of deliveries) {
    host.run(['rm', '-rf', `${options.root}/files/${delivery.folder}`]);
    host.run(['mkdir', '-p', `${options.root}/files/${delivery.folder}/${delivery.manifest.name}`]);
    for (const file of delivery.files) {
      const path = `${options.root}/${deliveredPath(delivery, file)}`;
      const show = (bytes: number, rate: number) =>
        progress.show({ doneBytes: beforeBytes + bytes, rate, httpBytes: beforeBytes + bytes, note: 'HTTP' });
      fetchFile(host, { url: `${options.server}/blob/${file.sha256}/${file.name}`, path, file, show });
      beforeBytes += file.sizeBytes;
    }
  }
  progress.show({ doneBytes: beforeBytes, rate: 0, httpBytes: beforeBytes, note: 'HTTP', isLast: true });
}

/** @throws Fault `DOWNLOAD_FAILED` */
function fetchFile(
  host: Host,
  one: { url: string; path: string; file: ManifestFile; show: (bytes: number, rate: number) => void },
): void {
  const child = startDownload(host, one.url, one.path);
  const startMs = host.uptimeMs();
  for (; child.poll() === undefined; host.sleep(200)) {
    const bytes = host.sizeBytes(one.path) ?? 0;
    // A server that never ends must not fill the memory.
    if (bytes > one.file.sizeBytes) child.stop();
    one.show(bytes, (bytes * 1000) / Math.max(host.uptimeMs() - startMs, 1));
  }
  if (child.poll() === 0) return;
  const said = lastLine(child.output()) || 'it gave no reason';
  throw new Fault('DOWNLOAD_FAILED', `Cannot download ${one.file.name}: neither by the swarm nor by HTTP: ${said}`);
}

interface Progress {
  show(now: { doneBytes: number; rate: number; httpBytes?: number; note?: string; isLast?: boolean }): void;
}

/** A line on the console every other second, a report to the server every five. */
function openProgress(host: Host, { totalBytes, reporter }: DownloadOptions): Progress {
  let printedMs = Number.NEGATIVE_INFINITY;
  let reportedMs = host.uptimeMs();
  return {
    show({ doneBytes, rate, httpBytes, note, isLast = false }) {
      const nowMs = host.uptimeMs();
      if (isLast || nowMs - printedMs >= printEveryMs) {
        printedMs = nowMs;
        reporter.say('download', `${formatProgress(doneBytes, totalBytes, rate)}${note ? `  ${note}` : ''}`);
      }
      if (!isLast && nowMs - reportedMs < reportEveryMs) return;
      reportedMs = nowMs;
      const details = { doneBytes, totalBytes, bytesPerSecond: Math.round(rate) };
      reporter.report('download', httpBytes === undefined ? details : { ...details, httpBytes });
    },
  };
}
