/** What one boot took, in seconds from power-on. */
export interface BootTimes {
  /** The agent's first line on the console. */
  readonly agentSeconds: number;
  /** The target's own userland: its heartbeat, or what only it prints. */
  readonly upSeconds: number;
}

export interface BenchCase {
  readonly image: string;
  readonly method: string;
  readonly firmware: string;
}

/** A Markdown row for each case: medians, and behind ± half of the distance between the quickest and the slowest run. */
export function benchTable(results: ReadonlyMap<BenchCase, readonly BootTimes[]>): string {
  const rows = [...results].map(([{ method, image, firmware }, runs]) => [
    method,
    image,
    firmware,
    spread(runs.map((run) => run.agentSeconds)),
    spread(runs.map((run) => run.upSeconds - run.agentSeconds)),
    String(runs.length),
  ]);
  const head = ['method', 'image', 'firmware', 'power-on → agent', 'agent → target', 'runs'];
  const widths = head.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)));
  const line = (cells: readonly string[]) => `| ${cells.map((cell, at) => cell.padEnd(widths[at] ?? 0)).join(' | ')} |`;
  return [line(head), line(widths.map((width) => '-'.repeat(width))), ...rows.map(line)].join('\n');
}

/** `12.3 s ± 0.4`; without the ± where there is one run only. */
export function spread(values: readonly number[]): string {
  const sorted = values.toSorted((a, b) => a - b);
  const [least, most] = [sorted[0], sorted.at(-1)];
  if (least === undefined || most === undefined) return 'none';
  const middle =
    ((sorted[Math.floor((sorted.length - 1) / 2)] ?? 0) + (sorted[Math.ceil((sorted.length - 1) / 2)] ?? 0)) / 2;
  return `${middle.toFixed(1)} s${sorted.length > 1 ? ` ± ${((most - least) / 2).toFixed(1)}` : ''}`;
}
