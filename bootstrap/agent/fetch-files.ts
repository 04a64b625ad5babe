import { Fault } from '#bundle/fault.ts';
import type { ManifestFile } from '#bundle/manifest.ts';
import { lastLine } from './command.ts';
import type { DownloadProgress } from './download-progress.ts';
import type { Host } from './host.ts';
import { resumeDownload } from './http.ts';
import { type Delivery, deliveredPath } from './phases.ts';
import type { Reporter } from './reporter.ts';
import { retryPauseMs } from './retry.ts';
import { isBlob } from './verify.ts';

/** In a row, without a byte more: the ticket may be old, and a fault tells the server. */
const failureLimit = 5;
const serverSilenceMs = 10_000;

/** A file of a delivery. */
export interface WantedFile {
  readonly delivery: Delivery;
  readonly file: ManifestFile;
}

export interface FetchOptions {
  readonly server: string;
  readonly root: string;
  readonly reporter: Reporter;
  readonly progress: DownloadProgress;
}

export function wantedFiles(deliveries: readonly Delivery[]): readonly WantedFile[] {
  return deliveries.flatMap((delivery) => delivery.files.map((file) => ({ delivery, file })));
}

/** By content, for the web seed too: any name does. */
export function fileUrl(server: string, file: ManifestFile): string {
  return `${server}/blob/${file.sha256}/${file.name}`;
}

/**
 * Fetches files by plain HTTP, one after the other. A file that is there and right is kept; of one that is not, nothing
 * is, since what a swarm left has holes. What this function itself has begun goes on where it was interrupted, for ever.
 * @throws Fault `DOWNLOAD_FAILED` when the server says that it has no such file, or answers but never with it
 */
export function fetchFiles(host: Host, wanted: readonly WantedFile[], options: FetchOptions): void {
  let beforeBytes = 0;
  for (const { delivery, file } of wanted) {
    const path = `${options.root}/${deliveredPath(delivery, file)}`;
    const show = (bytes: number, bytesPerSecond: number) =>
      options.progress.show({ doneBytes: beforeBytes + bytes, bytesPerSecond, peers: 0, stage: 'http' });
    if (!isBlob(host, path, { digest: file.sha256, sizeBytes: file.sizeBytes })) {
      host.run(['mkdir', '-p', path.slice(0, path.lastIndexOf('/'))]);
      host.run(['rm', '-f', path]);
      fetchFile(host, { path, file, show }, options);
    }
    beforeBytes += file.sizeBytes;
  }
}

interface OneFile {
  readonly path: string;
  readonly file: ManifestFile;
  readonly show: (bytes: number, bytesPerSecond: number) => void;
}

function fetchFile(host: Host, one: OneFile, options: FetchOptions): void {
  const { file, path } = one;
  for (let failures = 0; ; ) {
    const before = host.sizeBytes(path) ?? 0;
    const said = fetchRest(host, one, options);
    const bytes = host.sizeBytes(path) ?? 0;
    if (bytes === file.sizeBytes && (bytes > 0 || said === undefined)) return;
    const isTooLong = bytes > file.sizeBytes;
    const reason = isTooLong ? 'the answer is longer than the file' : (said ?? 'the answer was cut off');
    if (/ 40[0-9]/.test(reason)) throw unavailable(file, reason);
    // What came is not this file.
    if (isTooLong) host.run(['rm', '-f', path]);
    failures = bytes > before && !isTooLong ? 1 : failures + 1;
    // 503: it knows about it, and asks for patience.
    const isHopeless = failures >= failureLimit && !/ 503/.test(reason) && isServerThere(host, options);
    if (isHopeless) throw unavailable(file, reason);
    const pauseMs = retryPauseMs(failures, Math.random());
    options.reporter.say('download', `${file.name}: ${reason}; again in ${Math.round(pauseMs / 1000)} s`);
    pause(host, pauseMs, () => one.show(isTooLong ? 0 : bytes, 0));
  }
}

/** One that takes reports. Where it does not there is nothing better than to wait, with what is there. */
function isServerThere(host: Host, { progress }: FetchOptions): boolean {
  const atMs = progress.serverAtMs();
  return atMs !== undefined && host.uptimeMs() - atMs < serverSilenceMs;
}

function unavailable(file: ManifestFile, reason: string): Fault {
  const message = `Cannot download ${file.name}: neither by the swarm nor by HTTP: ${reason}`;
  return new Fault('DOWNLOAD_FAILED', message, { hint: 'The log of the runtime says what it sent, and to whom' });
}

/** @returns what went wrong, as far as the program could tell */
function fetchRest(host: Host, { path, file, show }: OneFile, { server }: FetchOptions): string | undefined {
  const child = resumeDownload(host, fileUrl(server, file), path);
  const startMs = host.uptimeMs();
  const before = host.sizeBytes(path) ?? 0;
  for (; child.poll() === undefined; host.sleep(200)) {
    const bytes = host.sizeBytes(path) ?? 0;
    // A server that never ends must not fill the memory.
    if (bytes > file.sizeBytes) child.stop();
    show(bytes, ((bytes - before) * 1000) / Math.max(host.uptimeMs() - startMs, 1));
  }
  return child.poll() === 0 ? undefined : lastLine(child.output()) || 'no reason given';
}

/** With a sign of life meanwhile. */
function pause(host: Host, pauseMs: number, tick: () => void): void {
  const endMs = host.uptimeMs() + pauseMs;
  for (; host.uptimeMs() < endMs; host.sleep(500)) tick();
}
