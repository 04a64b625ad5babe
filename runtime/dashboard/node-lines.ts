import type { PhaseTimes } from '../boot/phases.ts';
import { table } from './text-table.ts';
import type { NodeAnswer, NodesAnswer, StatusNode } from './view.ts';

/** All nodes as a table. */
export function nodesTable({ nowMs, nodes }: NodesAnswer): readonly string[] {
  if (nodes.length === 0) return ['No node has been switched on yet'];
  const head = ['node', 'address', 'firmware', 'image', 'phase', 'since', 'result', 'origin', 'peers', 'HTTP'];
  return table([head, ...nodes.map((node) => nodeRow(node, nowMs))], { right: [5, 7, 8, 9] });
}

function nodeRow(node: StatusNode, nowMs: number): readonly string[] {
  const { origin, peers, http } = node.bytes;
  const since = node.phases.at(-1)?.startedAtMs ?? node.lastSeenMs;
  return [
    ...[node.mac, node.address ?? '-', node.firmware ?? '-', imageOf(node), phaseOf(node), age(nowMs - since)],
    ...[resultOf(node), megabytes(origin), megabytes(peers), megabytes(http)],
  ];
}

/** One node: its newest boot phase by phase, the earlier ones in a line each, and why a boot failed. */
export function nodeStory({ nowMs, node, earlier, failedLog }: NodeAnswer): readonly string[] {
  return [
    ...nodeHead(node),
    ...node.phases.map((phase) => phaseLine(node, phase)),
    ...nodeEnd(node, nowMs),
    ...(failedLog ? ['', `what it said before ${failedLog.code}, ${time(failedLog.atMs)}`] : []),
    ...(failedLog?.log.trimEnd().split('\n') ?? []).map((text) => `  | ${text}`),
    ...(earlier.length > 0 ? ['', `earlier boots, newest first (${earlier.length})`] : []),
    ...table(earlier.map(earlierRow), { right: [2] }).map((text) => `  ${text}`),
  ].map(printable);
}

/** What is new of a node since a number of phases were told: for `--follow`. */
export function newLines(node: StatusNode, toldPhases: number): readonly string[] {
  const ended = endedPhases(node).slice(toldPhases);
  return ended.map((phase) => phaseLine(node, phase)).map(printable);
}

/** The phases that nothing is to be added to. */
export function endedPhases(node: StatusNode): readonly PhaseTimes[] {
  return node.phases.filter((phase) => phase.result !== undefined && phase.result !== 'stalled');
}

/** What stands above the phases of a boot. */
export function nodeHead(node: StatusNode): readonly string[] {
  const memory = node.memoryBytes === undefined ? '' : `  ${Math.round(node.memoryBytes / 2 ** 20)} MiB of RAM`;
  const drivers = node.missingDrivers?.join(', ');
  const { fallback } = node;
  return [
    `${node.mac}  ${node.address ?? '-'}  ${node.firmware ?? '-'}  ${imageOf(node)}${memory}`,
    ...(fallback ? [fallbackLine(fallback)] : []),
    ...(drivers ? [`no driver for ${drivers}`] : []),
    `boot of ${time(node.phases[0]?.startedAtMs ?? node.lastSeenMs)}  session ${node.session}`,
  ].map(printable);
}

export function fallbackLine({ image, from, to, failedBoots }: NonNullable<StatusNode['fallback']>): string {
  return `fell back to ${image}@${to} after ${failedBoots} failed boots of ${image}@${from}`;
}

/** What stands below them. */
export function nodeEnd(node: StatusNode, nowMs: number): readonly string[] {
  const stalled = node.stalledSinceMs;
  return [
    ...(stalled === undefined ? [] : [`stalled in ${node.phase}: not a word for ${age(nowMs - stalled)}`]),
    ...(node.fault ? [`${node.fault.message} [${node.fault.code}]`] : []),
    ...(node.exitStatus === undefined ? [] : [`ended with status ${node.exitStatus}`]),
    ...(node.output?.trimEnd().split('\n') ?? []).map((text) => `  | ${text}`),
  ].map(printable);
}

function phaseLine(node: StatusNode, phase: PhaseTimes): string {
  const at = (phase.startedAtMs - (node.phases[0]?.startedAtMs ?? 0)) / 1000;
  const seconds = phase.seconds === undefined ? '' : `${phase.seconds.toFixed(1)} s`;
  const result = phase.result ?? 'goes on';
  const code = phase.code === undefined ? '' : ` ${phase.code}`;
  const bytes = phase.bytes ? `  ${sources(phase.bytes)}` : '';
  return `  ${at.toFixed(1).padStart(8)} s  ${phase.name.padEnd(14)} ${seconds.padStart(9)}  ${result}${code}${bytes}`;
}

function earlierRow(node: StatusNode): readonly string[] {
  const [first] = node.phases;
  const last = node.phases.at(-1);
  const took = first && last ? `${((last.startedAtMs - first.startedAtMs) / 1000).toFixed(1)} s` : '';
  const when = time(first?.startedAtMs ?? node.lastSeenMs);
  return [when, imageOf(node), took, node.result, reasonOf(node), sources(node.bytes)];
}

function reasonOf({ fault, exitStatus, result, phase }: StatusNode): string {
  if (fault) return fault.code;
  if (exitStatus !== undefined) return `status ${exitStatus}`;
  return result === 'stalled' ? `in ${phase}` : '';
}

function sources({ origin, peers, http }: StatusNode['bytes']): string {
  return `origin ${megabytes(origin)}, peers ${megabytes(peers)}, HTTP ${megabytes(http)}`;
}

function imageOf(node: StatusNode): string {
  if (node.image === undefined) return '-';
  return node.version === undefined ? node.image : `${node.image}@${node.version}`;
}

function phaseOf(node: StatusNode): string {
  return node.phase === 'download' && node.percent !== undefined
    ? `download ${Math.floor(node.percent)} %`
    : node.phase;
}

function resultOf(node: StatusNode): string {
  return node.fault ? `${node.result} ${node.fault.code}` : node.result;
}

/** Decimal megabytes, as the rest of the field counts network bytes. */
function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}

function age(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 120) return `${seconds} s`;
  return seconds < 7200 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds / 3600)} h`;
}

/** The server's time, in UTC. */
function time(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19).replace('T', ' ')} UTC`;
}

/** Some of it was said by nodes: a terminal gets no control characters. */
export function printable(line: string): string {
  return line.replaceAll(/[^\x20-\x7e\u00a0-\uffff]/g, '?');
}
