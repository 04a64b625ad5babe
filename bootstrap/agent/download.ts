import { Fault } from '#bundle/fault.ts';
import { startAria2 } from '../swarm-node/aria2.ts';
import type { SwarmNode, TorrentState } from '../swarm-node/swarm-node.ts';
import { type DownloadProgress, openProgress } from './download-progress.ts';
import type { DownloadView } from './download-view.ts';
import { fetchFiles, fileUrl, wantedFiles } from './fetch-files.ts';
import type { Host } from './host.ts';
import { openLadder } from './ladder.ts';
import type { Delivery } from './phases.ts';
import type { Reporter } from './reporter.ts';

export interface DownloadOptions {
  readonly server: string;
  /** The tmpfs. Torrents lie there as `torrents/<folder>.torrent`. */
  readonly root: string;
  readonly totalBytes: number;
  readonly reporter: Reporter;
  /** For a person who watches, besides a line every other second. */
  readonly view?: DownloadView;
  /** The swarm client: program, perhaps with its loader before it. Default: `aria2c`. */
  readonly client?: readonly string[];
}

/**
 * Brings all files, by the swarm as long as it makes progress, with the server as a web seed when it stands still, in
 * the end by HTTP alone. Nothing of them is believed yet.
 * @returns the client that goes on seeding; undefined when it is not running
 * @throws Fault `DOWNLOAD_FAILED`
 */
export function download(host: Host, deliveries: readonly Delivery[], options: DownloadOptions): SwarmNode | undefined {
  const progress = openProgress(host, options);
  try {
    const swarm = downloadBySwarm(host, deliveries, { ...options, progress });
    if (swarm) return swarm;
    // A client that seeds later would believe its own notes about what is there.
    const notes = deliveries.map(({ folder, manifest }) => `${options.root}/files/${folder}/${manifest.name}.aria2`);
    host.run(['rm', '-f', ...notes]);
    fetchFiles(host, wantedFiles(deliveries), { ...options, progress });
    return undefined;
  } finally {
    progress.close();
  }
}

/** Where the checked torrent of a delivery lies. */
export function torrentPath(root: string, folder: string): string {
  return `${root}/torrents/${folder}.torrent`;
}

function downloadBySwarm(
  host: Host,
  deliveries: readonly Delivery[],
  options: DownloadOptions & { readonly progress: DownloadProgress },
): SwarmNode | undefined {
  const { reporter, root, client = ['aria2c'] } = options;
  let swarm: SwarmNode | undefined;
  let reason: string | undefined;
  try {
    swarm = startAria2(host, { command: client });
    for (const { folder } of deliveries) {
      swarm.add({ torrentPath: torrentPath(root, folder), directory: `${root}/files/${folder}` });
    }
    reason = waitForSwarm(host, swarm, { ...options, deliveries });
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    reason = error.message;
  }
  if (reason === undefined) return swarm;
  reporter.say('download', `the swarm does not work (${reason}): fetching by HTTP`);
  swarm?.stop();
  return undefined;
}

/** @returns why it makes no progress; undefined when everything is there */
function waitForSwarm(
  host: Host,
  swarm: SwarmNode,
  options: DownloadOptions & { readonly progress: DownloadProgress; readonly deliveries: readonly Delivery[] },
): string | undefined {
  const { progress, reporter, totalBytes } = options;
  const ladder = openLadder(host.uptimeMs(), Math.random());
  let stage: 'swarm' | 'web-seed' = 'swarm';
  for (;;) {
    const states = swarm.states() ?? [];
    const isComplete = states.length > 0 && states.every((state) => state.isComplete);
    const doneBytes = isComplete ? totalBytes : sum(states, (state) => state.doneBytes);
    const bytesPerSecond = sum(states, (state) => state.receiveBytesPerSecond);
    progress.show({ doneBytes, bytesPerSecond, peers: sum(states, (state) => state.peers), stage });
    if (isComplete) return undefined;
    const error = swarm.ended() ?? states.find((state) => state.error !== undefined)?.error;
    if (error !== undefined) return error;
    const sight = { atMs: host.uptimeMs(), doneBytes, bytesPerSecond, serverAtMs: progress.serverAtMs() };
    const step = ladder.step(sight);
    if (step.kind === 'http') return step.reason;
    if (step.kind === 'web-seed') {
      stage = 'web-seed';
      reporter.say('download', `the swarm stands still (${step.reason}): the server as a web seed too`);
      addWebSeeds(swarm, options);
    }
    host.sleep(doneBytes === 0 ? 250 : 500);
  }
}

/** The client numbers the files as the torrent does. */
function addWebSeeds(swarm: SwarmNode, { deliveries, server }: DownloadOptions & { deliveries: readonly Delivery[] }) {
  for (const [torrent, { files }] of deliveries.entries()) {
    swarm.addWebSeed(torrent, new Map(files.map((file) => [file.name, fileUrl(server, file)])));
  }
}

function sum(states: readonly TorrentState[], value: (state: TorrentState) => number): number {
  return states.reduce((total, state) => total + value(state), 0);
}
