import { enableCompileCache } from 'node:module';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import { bootstrapCommand } from './bootstrap.ts';
import { buildCommand } from './build.ts';
import { builderCommand } from './builder-requests.ts';
import { drainCommand } from './drain.ts';
import { failWith } from './exit.ts';
import { gcCommand } from './gc.ts';
import { historyCommand } from './history.ts';
import { initCommand } from './init.ts';
import { installCommand } from './install.ts';
import { keygenCommand } from './keygen.ts';
import { labCommand } from './lab.ts';
import { nodeCommand } from './node.ts';
import { nodesCommand } from './nodes.ts';
import { planCommand } from './plan.ts';
import { pokeCommand } from './poke.ts';
import { publishCommand } from './publish.ts';
import { pullCommand } from './pull.ts';
import { repoCommand } from './repo.ts';
import { runCommand } from './run.ts';
import { statusCommand } from './status.ts';
import { acceptHistoryCommand, resumeCommand, suspendCommand } from './steer.ts';
import { updateCommand } from './update.ts';
import { validateCommand } from './validate.ts';
import { verifyCommand } from './verify.ts';

// Halves the processor time of a start. Beside the packages, where only who installed them can write.
enableCompileCache(fileURLToPath(new URL('../../node_modules/.cache/node', import.meta.url)));

// `boottorrent … | head`: who no longer reads has had enough.
process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1));

const program = new Command('boottorrent')
  .description('Network boot for clusters: a git repository says what runs, every machine helps to deliver it')
  .addHelpText(
    'after',
    '\nExit status: 0 done, 1 failed, 2 wrong usage or configuration, 3 verification failed, 75 try later',
  )
  .exitOverride();
const verbs = [
  validateCommand,
  planCommand,
  updateCommand,
  buildCommand,
  publishCommand,
  pullCommand,
  verifyCommand,
  keygenCommand,
  initCommand,
  installCommand,
  bootstrapCommand,
  builderCommand,
  runCommand,
  statusCommand,
  nodesCommand,
  nodeCommand,
  historyCommand,
  gcCommand,
  drainCommand,
  pokeCommand,
  suspendCommand,
  resumeCommand,
  acceptHistoryCommand,
  repoCommand,
  labCommand,
];
for (const verb of verbs) program.addCommand(verb().exitOverride());

try {
  await program.parseAsync();
} catch (error) {
  failWith(error);
}
