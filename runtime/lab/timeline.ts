/** What the timeline needs to know of a node: a part of `GET /v1/status`. */
export interface TimelineNode {
  readonly name: string;
  readonly session: string;
  readonly image?: string;
  readonly version?: string;
  readonly phase: string;
  readonly percent?: number;
  readonly bytesPerSecond?: number;
  readonly bytes: { readonly origin: number; readonly peers: number; readonly http: number };
  /** In order; `seconds` is absent while a phase goes on. */
  readonly phases: readonly { readonly name: string; readonly startedAtMs: number; readonly seconds?: number }[];
  readonly fault?: { readonly code: string; readonly message: string };
}

/** How many phases of each boot session were told already, by session id. */
export type Told = Readonly<Record<string, number>>;

/** The lines that are new since `told`: one per phase that has ended, one when a node failed or came up. */
export function news(told: Told, nodes: readonly TimelineNode[]): { readonly told: Told; readonly lines: string[] } {
  const next: Record<string, number> = { ...told };
  const lines: string[] = [];
  for (const node of nodes) {
    const ended = node.phases.filter((phase) => phase.seconds !== undefined || phase.name === 'up');
    for (const phase of ended.slice(next[node.session] ?? 0)) lines.push(phaseLine(node, phase));
    next[node.session] = Math.max(ended.length, next[node.session] ?? 0);
    const faultKey = `${node.session} ${node.fault?.code}`;
    if (node.fault && !next[faultKey]) {
      next[faultKey] = 1;
      lines.push(`${node.name}  FAILED  ${node.fault.message} [${node.fault.code}]`);
    }
  }
  return { told: next, lines };
}

/** One line for each node that is on its way: what it is doing, with a bar while it downloads. */
export function liveLines(nodes: readonly TimelineNode[], nowMs: number): string[] {
  return nodes
    .filter((node) => node.phase !== 'up')
    .map((node) => {
      const since = node.phases.at(-1)?.startedAtMs ?? nowMs;
      const head = `${node.name}  ${seconds((nowMs - since) / 1000)}  ${node.phase.padEnd(14)}`;
      if (node.phase !== 'download' || node.percent === undefined) return head;
      return `${head} ${bar(node.percent)} ${String(Math.floor(node.percent)).padStart(3)} %  ${rate(node)}`;
    });
}

/** The table at the end: who came up as what, how long each phase took, and whose bytes it was. */
export function summary(nodes: readonly TimelineNode[]): string[] {
  return nodes.flatMap((node) => {
    const total = node.phases.reduce((sum, phase) => sum + (phase.seconds ?? 0), 0);
    const { origin, peers, http } = node.bytes;
    const phases = node.phases.filter((phase) => phase.seconds !== undefined);
    return [
      `${node.name}  ${node.image ?? '?'}@${node.version ?? '?'}  ${node.phase} after ${total.toFixed(1)} s`,
      `       ${phases.map((phase) => `${phase.name} ${phase.seconds?.toFixed(1)}`).join(' · ')}`,
      `       ${megabytes(origin)} from the origin, ${megabytes(peers)} from peers, ${megabytes(http)} by HTTP`,
    ];
  });
}

function phaseLine(node: TimelineNode, phase: TimelineNode['phases'][number]): string {
  const start = node.phases[0]?.startedAtMs ?? phase.startedAtMs;
  const endMs = phase.startedAtMs + (phase.seconds ?? 0) * 1000;
  const at = seconds((endMs - start) / 1000);
  if (phase.name === 'up') return `${node.name}  ${at}  UP  ${node.image ?? '?'}@${node.version ?? '?'}`;
  return `${node.name}  ${at}  ${phase.name.padEnd(14)} took ${(phase.seconds ?? 0).toFixed(1)} s`;
}

function bar(percent: number): string {
  const filled = Math.round(percent / 5);
  return `[${'#'.repeat(filled)}${'-'.repeat(20 - filled)}]`;
}

function rate(node: TimelineNode): string {
  return node.bytesPerSecond === undefined ? '' : `${megabytes(node.bytesPerSecond)}/s`;
}

function seconds(value: number): string {
  return `${value.toFixed(1).padStart(6)} s`;
}

/** Decimal megabytes, as the rest of the field counts network bytes. */
export function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0)} MB`;
}
