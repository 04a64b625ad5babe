import type { DownloadStage, DownloadState } from '../download-view.ts';
import { bodyRows, type Canvas, compose, type Line, line, rule, signs } from './screen-lines.ts';
import { cleanText, formatSeconds } from './text.ts';

const stageTexts: Readonly<Record<DownloadStage, string>> = {
  swarm: 'Downloading from the swarm',
  'web-seed': 'Downloading from the swarm and, by HTTP, from the server',
  http: 'Downloading from the server by HTTP: the swarm makes no progress',
};

/** A download as exactly the rows and columns of a screen, with the end of the log below it. */
export function renderProgress(
  state: DownloadState,
  { title, log }: { readonly title: string; readonly log: readonly string[] },
  canvas: Canvas,
): readonly Line[] {
  const head = [
    line(''),
    line(`  ${stageTexts[state.stage]}`),
    line(''),
    line(`  ${bar(state, canvas)}`),
    line(''),
    line(`  ${numbers(state)}`),
    line(''),
    ...sources(state).map((text) => line(`  ${text}`)),
    line(''),
    rule(canvas),
  ];
  const room = Math.max(0, bodyRows(canvas, []) - head.length);
  const tail = room === 0 ? [] : log.slice(-room).map((text) => line(cleanText(text, canvas.charset)));
  return compose(canvas, {
    title: `BootTorrent  ${cleanText(title, canvas.charset)}`,
    body: [...head, ...tail],
    footer: [],
  });
}

function bar(state: DownloadState, { columns, charset }: Canvas): string {
  const width = Math.max(0, Math.min(100, columns - 12));
  const full = Math.floor(share(state.doneBytes, state.totalBytes) * width);
  const percent = `${Math.floor(share(state.doneBytes, state.totalBytes) * 100)} %`;
  return `${signs[charset].full.repeat(full)}${signs[charset].empty.repeat(width - full)} ${percent.padStart(6)}`;
}

/** Fixed places: from one second to the next only digits change. */
function numbers({ doneBytes, totalBytes, bytesPerSecond, peers }: DownloadState): string {
  const left = bytesPerSecond > 0 ? formatSeconds(Math.max(0, totalBytes - doneBytes) / bytesPerSecond) : '-';
  const done = `${megabytes(doneBytes)} of ${megabytes(totalBytes)} MB`;
  return `${done.padEnd(24)}${`${megabytes(bytesPerSecond)} MB/s`.padEnd(14)}${`${peers} peers`.padEnd(12)}time left ${left}`;
}

function sources({ doneBytes, originBytes, httpBytes }: DownloadState): readonly string[] {
  // The server counts what it sent, and its count is older than ours: so nothing is below zero.
  const nodesBytes = Math.max(0, doneBytes - originBytes - httpBytes);
  const all = nodesBytes + originBytes + httpBytes;
  const row = (label: string, bytes: number) =>
    `${label.padEnd(22)}${`${megabytes(bytes)} MB`.padStart(12)}${`${Math.round(share(bytes, all) * 100)} %`.padStart(8)}`;
  return [row('From other nodes', nodesBytes), row("From the server's seed", originBytes), row('By HTTP', httpBytes)];
}

function share(part: number, whole: number): number {
  return whole > 0 ? Math.max(0, Math.min(1, part / whole)) : 0;
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(1);
}
