import { Command } from 'commander';
import { printable } from '../dashboard/node-lines.ts';
import { historyPath, readHistory } from '../history/file.ts';
import { historyLines } from '../history/lines.ts';
import { findPlace, type PlaceFlags, wholeNumber, withPlace } from './builder.ts';
import { reporting } from './report.ts';

interface Flags extends PlaceFlags {
  readonly json: boolean;
  readonly number: string;
}

/** `boottorrent history`: read from the state directory, whether a runtime is running or not. */
export function historyCommand(): Command {
  return withPlace(new Command('history'))
    .description('List each publish and each refusal: commit, author, serial, result, seconds; newest first')
    .option('--number <events>', 'the newest so many', '20')
    .option('--json', 'one JSON object an event on standard output', false)
    .action((flags: Flags) => reporting(flags, () => history(flags)));
}

async function history(flags: Flags): Promise<void> {
  const { statePath } = await findPlace(flags);
  const count = wholeNumber(flags.number, '--number');
  const events = (await readHistory(historyPath(statePath))).slice(-count);
  const lines = flags.json
    ? events.toReversed().map((one) => JSON.stringify(one))
    : historyLines(events).map(printable);
  if (lines.length > 0) process.stdout.write(`${lines.join('\n')}\n`);
}
