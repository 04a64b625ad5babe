import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { failWith } from '../cli/exit.ts';
import { exitOnSignal } from '../cli/signal.ts';
import { openLog } from '../log.ts';
import { runRuntime } from '../main.ts';

const [configPath = '', statePath = ''] = process.argv.slice(2);
const builder = [process.execPath, fileURLToPath(new URL('builder.ts', import.meta.url))];
const builderOptions = ['--config', configPath, '--state', statePath];
try {
  await runRuntime(
    {
      ...{ configPath, statePath, storePath: join(statePath, 'store'), builder, builderOptions },
      ...{ environment: process.env, pid: process.pid, log: openLog() },
    },
    exitOnSignal(),
  );
} catch (error) {
  failWith(error);
}
