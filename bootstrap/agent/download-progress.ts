import type { DownloadStage, DownloadState, DownloadView } from './download-view.ts';
import type { Host } from './host.ts';
import type { Reporter } from './reporter.ts';

/** How a download is, as far as the node itself sees it. */
export type OwnState = Pick<DownloadState, 'doneBytes' | 'bytesPerSecond' | 'peers' | 'stage'>;

/** Tells the console and the server how a download goes. */
export interface DownloadProgress {
  show(state: OwnState): void;
  /** When the server took a report last. */
  serverAtMs(): number | undefined;
  /** The last state, as a report and on the console. */
  close(): void;
}

const reportEveryMs = 2000;
const printEveryMs = 2000;

/**
 * A line on the console every other second, which programs can read as well.
 * @param view for a person besides; where it draws, the lines are held back
 */
export function openProgress(
  host: Host,
  {
    totalBytes,
    reporter,
    view,
  }: { readonly totalBytes: number; readonly reporter: Reporter; readonly view?: DownloadView | undefined },
): DownloadProgress {
  const views = [openPlainView(host, reporter), ...(view ? [view] : [])];
  let reportedMs = host.uptimeMs();
  let serverAtMs: number | undefined;
  let told = { originBytes: 0, httpBytes: 0 };
  let last: OwnState = { doneBytes: 0, bytesPerSecond: 0, peers: 0, stage: 'swarm' };

  function report(): void {
    const { doneBytes, bytesPerSecond, peers } = last;
    const reply = reporter.report('download', {
      ...{ doneBytes, totalBytes, peers },
      bytesPerSecond: Math.round(bytesPerSecond),
    });
    reportedMs = host.uptimeMs();
    if (!reply) return;
    serverAtMs = reportedMs;
    told = reply;
  }
  return {
    show(state) {
      last = state;
      if (host.uptimeMs() - reportedMs >= reportEveryMs) report();
      const { originBytes, httpBytes } = told;
      for (const one of views) one.show({ ...state, totalBytes, originBytes, httpBytes });
    },
    serverAtMs: () => serverAtMs,
    close() {
      report();
      for (const one of views) one.close();
    },
  };
}

/** `45 %   23.1 MB/s   28 of 62 MB` */
export function formatProgress(done: number, total: number, rate: number): string {
  const percent = total === 0 ? 100 : Math.floor((done * 100) / total);
  const megabytes = (bytes: number) => (bytes / 1e6).toFixed(1);
  return `${percent} %  ${megabytes(rate)} MB/s  ${megabytes(done)} of ${megabytes(total)} MB`;
}

const stageNames: Readonly<Record<DownloadStage, (peers: number) => string>> = {
  swarm: (peers) => `${peers} peers`,
  'web-seed': (peers) => `${peers} peers and web seed`,
  http: () => 'HTTP',
};

function openPlainView(host: Host, reporter: Reporter): DownloadView {
  let printedMs = Number.NEGATIVE_INFINITY;
  let last: DownloadState | undefined;
  function print({ doneBytes, totalBytes, bytesPerSecond, stage, peers }: DownloadState): void {
    const line = formatProgress(doneBytes, totalBytes, bytesPerSecond);
    reporter.say('download', `${line}  ${stageNames[stage](peers)}`);
  }
  return {
    show(state) {
      last = state;
      if (host.uptimeMs() - printedMs < printEveryMs) return;
      printedMs = host.uptimeMs();
      print(state);
      last = undefined;
    },
    close: () => last && print(last),
  };
}
