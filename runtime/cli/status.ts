import { Command } from 'commander';
import { statusLines } from '../dashboard/status-lines.ts';
import type { Status } from '../dashboard/view.ts';
import { askSocket } from '../http/ask-socket.ts';
import { controlSocketPath } from '../state-lock.ts';
import { findPlace, type PlaceFlags, withPlace } from './builder.ts';

type Flags = PlaceFlags & { readonly json: boolean };

/** `boottorrent status`: what the runtime of a state directory serves, and what its nodes do. */
export function statusCommand(): Command {
  return withPlace(new Command('status'))
    .description('Show what the running runtime serves, why a commit is refused, and what each node does')
    .option('--json', 'the status as JSON on standard output', false)
    .action(status);
}

async function status(flags: Flags): Promise<void> {
  const { statePath } = await findPlace(flags);
  const text = await askSocket(controlSocketPath(statePath), '/v1/status');
  const lines = flags.json ? [text] : statusLines(JSON.parse(text) as Status);
  process.stdout.write(`${lines.join('\n')}\n`);
}
