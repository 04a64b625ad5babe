import { Command } from 'commander';
import { askSocket } from '../http/ask-socket.ts';
import { controlSocketPath } from '../state-lock.ts';
import { findPlace, type PlaceFlags, withPlace } from './builder.ts';
import { openReporter, reporting } from './report.ts';

type Flags = PlaceFlags & { readonly json: boolean };

/** `boottorrent poke`: makes the running runtime ask its repository now. */
export function pokeCommand(): Command {
  return withPlace(new Command('poke'))
    .description('Make the running runtime ask its repository now, instead of at the next poll')
    .option('--json', 'one JSON object a line on standard output', false)
    .action((flags: Flags) => reporting(flags, () => poke(flags)));
}

async function poke(flags: Flags): Promise<void> {
  const { statePath } = await findPlace(flags);
  await askSocket(controlSocketPath(statePath), '/v1/poke', { body: '{}' });
  openReporter(flags).result('poked', {}, 'The runtime asks its repository now');
}
