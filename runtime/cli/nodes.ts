import { Command } from 'commander';
import { nodesTable, printable } from '../dashboard/node-lines.ts';
import type { NodesAnswer } from '../dashboard/view.ts';
import { askSocket } from '../http/ask-socket.ts';
import { controlSocketPath } from '../state-lock.ts';
import { findPlace, type PlaceFlags, withPlace } from './builder.ts';

type Flags = PlaceFlags & { readonly json: boolean };

/** `boottorrent nodes`: every node that was seen, with its newest boot. */
export function nodesCommand(): Command {
  return withPlace(new Command('nodes'))
    .description('List the nodes: what each boots, how far it is, and where its bytes came from')
    .option('--json', 'as JSON on standard output', false)
    .action(nodes);
}

async function nodes(flags: Flags): Promise<void> {
  const { statePath } = await findPlace(flags);
  const text = await askSocket(controlSocketPath(statePath), '/v1/nodes');
  const lines = flags.json ? [text] : nodesTable(JSON.parse(text) as NodesAnswer).map(printable);
  process.stdout.write(`${lines.join('\n')}\n`);
}
