import { Command } from 'commander';
import { Fault } from '#bundle/fault.ts';
import { parseDuration } from '#definition/units.ts';
import type { Draining } from '../drain.ts';
import { askSocket } from '../http/ask-socket.ts';
import { controlSocketPath } from '../state-lock.ts';
import { findPlace, type PlaceFlags, withPlace } from './builder.ts';
import { openReporter, reporting } from './report.ts';

interface Flags extends PlaceFlags {
  readonly limit: string;
  readonly json: boolean;
}

/** `boottorrent drain`: the runtime lets running boots end, begins none, and ends. */
export function drainCommand(): Command {
  return withPlace(new Command('drain'))
    .description('End the running runtime when the boots that run now are over; no new one begins')
    .option('--limit <duration>', 'end after this time in any case', '15m')
    .option('--json', 'one JSON object a line on standard output', false)
    .action((flags: Flags) => reporting(flags, () => drain(flags)));
}

async function drain(flags: Flags): Promise<void> {
  const limitMs = parseDuration(flags.limit);
  if (limitMs === undefined)
    throw new Fault('USAGE', `Cannot wait for ${flags.limit}: expected a duration such as 15m`);
  const { statePath } = await findPlace(flags);
  const body = JSON.stringify({ limitMs });
  const answer = JSON.parse(await askSocket(controlSocketPath(statePath), '/v1/drain', { body })) as Draining;
  const boots = `${answer.boots} ${answer.boots === 1 ? 'boot' : 'boots'}`;
  openReporter(flags).result(
    'draining',
    { ...answer },
    `No new boots; the runtime ends after ${boots}, or after ${flags.limit}`,
  );
}
