import { setTimeout as sleep } from 'node:timers/promises';
import { Command } from 'commander';
import { type Mac, parseMac } from '#bundle/digest.ts';
import { Fault } from '#bundle/fault.ts';
import { endedPhases, newLines, nodeEnd, nodeHead, nodeStory } from '../dashboard/node-lines.ts';
import type { NodeAnswer, NodesAnswer, StatusNode } from '../dashboard/view.ts';
import { askSocket } from '../http/ask-socket.ts';
import { controlSocketPath } from '../state-lock.ts';
import { findPlace, type PlaceFlags, withPlace } from './builder.ts';
import { exitOnSignal } from './signal.ts';

type Flags = PlaceFlags & { readonly json: boolean; readonly follow: boolean };

const pollMs = 1000;

/** `boottorrent node <mac>`: what happened to one node. */
export function nodeCommand(): Command {
  return withPlace(new Command('node'))
    .argument('<mac>', 'hardware address of its network card')
    .description("Tell a node's newest boot phase by phase, its earlier ones in a line each, and why one failed")
    .option('--follow', 'print what is new as it comes, until the node is up, ended or failed', false)
    .option('--json', 'as JSON on standard output; with --follow an object a line', false)
    .action(node);
}

async function node(mac: string, flags: Flags): Promise<void> {
  const { statePath } = await findPlace(flags);
  const ask = () => askNode(controlSocketPath(statePath), parseMac(mac));
  if (flags.follow) return await follow(ask, flags);
  const answer = await ask();
  print(flags.json ? [JSON.stringify(answer)] : nodeStory(answer));
}

/** @throws Fault `NODE_UNKNOWN`, `RUNTIME_UNREACHABLE` */
async function askNode(socketPath: string, mac: Mac): Promise<NodeAnswer> {
  const { nodes } = JSON.parse(await askSocket(socketPath, '/v1/nodes')) as NodesAnswer;
  if (nodes.some((one) => one.mac === mac)) {
    return JSON.parse(await askSocket(socketPath, `/v1/nodes/${mac}`)) as NodeAnswer;
  }
  throw new Fault('NODE_UNKNOWN', `Cannot tell about ${mac}: no node of that address was seen`, {
    hint: 'See "boottorrent nodes" for those that were',
  });
}

/** What was told of the boot that is followed. */
interface Told {
  readonly session: string;
  readonly phases: number;
  readonly isStalled: boolean;
}

async function follow(ask: () => Promise<NodeAnswer>, { json }: Flags): Promise<void> {
  const signal = exitOnSignal();
  let told: Told | undefined;
  while (!signal.aborted) {
    const answer = await ask();
    const { node } = answer;
    const before = told?.session === node.session ? told : undefined;
    told = { session: node.session, phases: endedPhases(node).length, isStalled: node.stalledSinceMs !== undefined };
    const hasNews = before?.phases !== told.phases || before.isStalled !== told.isStalled;
    if (hasNews) print(json ? [JSON.stringify(node)] : news(answer, before));
    if (isOver(node)) return;
    await sleep(pollMs, undefined, { signal }).catch(() => {});
  }
}

function news({ node, nowMs }: NodeAnswer, before: Told | undefined): readonly string[] {
  const isToldAtEnd = isOver(node) || (node.stalledSinceMs !== undefined && !before?.isStalled);
  return [
    ...(before ? [] : nodeHead(node)),
    ...newLines(node, before?.phases ?? 0),
    ...(isToldAtEnd ? nodeEnd(node, nowMs) : []),
  ];
}

function isOver({ phase, result }: StatusNode): boolean {
  return phase === 'up' || phase === 'ended' || phase === 'failed' || result === 'started';
}

function print(lines: readonly string[]): void {
  if (lines.length > 0) process.stdout.write(`${lines.join('\n')}\n`);
}
