import { resolve } from 'node:path';
import { Command } from 'commander';
import { type PlaceFlags, withPlace } from './builder.ts';
import { reporting } from './report.ts';
import { exitOnSignal } from './signal.ts';

/** `boottorrent builder`: both ends of the connection between runtime and builder of an installed site. */
export function builderCommand(): Command {
  const ask = new Command('ask')
    .description('Have a verb carried out by the builder; what the runtime starts in place of the verb')
    .argument('<socket>')
    .argument('<verb>')
    .allowUnknownOption()
    .allowExcessArguments()
    .helpOption(false)
    .exitOverride()
    .action((socket: string) => reporting({ json: true }, () => askVerb(socket)));
  const answer = withPlace(new Command('answer'))
    .description('Carry out the request on standard input, which systemd connects to the runtime')
    .exitOverride()
    .action((flags: PlaceFlags) => reporting({ json: true }, () => answerVerb(flags)));
  return new Command('builder')
    .description('What "boottorrent install" has systemd start: the runtime asks, another user builds and signs')
    .addCommand(ask)
    .addCommand(answer);
}

async function askVerb(socket: string): Promise<void> {
  const { askBuilder } = await import('../builder/ask.ts');
  // As they came: the verb's own options are not known here.
  const rest = process.argv.slice(process.argv.indexOf(socket) + 1);
  await askBuilder(socket, rest, process.stdout);
}

async function answerVerb(flags: PlaceFlags): Promise<void> {
  const { answerRequest } = await import('../builder/answer.ts');
  const configPath = resolve(flags.config);
  const statePath = resolve(flags.state ?? `${configPath}/../.boottorrent`);
  const { env: environment, stdin: input } = process;
  process.exitCode = await answerRequest({ configPath, statePath, environment, input, signal: exitOnSignal() });
  input.destroy();
}
