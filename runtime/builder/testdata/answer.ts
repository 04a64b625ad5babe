import { fileURLToPath } from 'node:url';
import { failWith } from '../../cli/exit.ts';
import { reporting } from '../../cli/report.ts';
import { exitOnSignal } from '../../cli/signal.ts';
import { answerRequest } from '../answer.ts';

// `boottorrent builder answer`, with a builder that needs no tools.
const [configPath = '', statePath = ''] = process.argv.slice(2);
const builder = [process.execPath, fileURLToPath(new URL('../../testdata/builder.ts', import.meta.url))];
const { env: environment, stdin: input } = process;
try {
  await reporting({ json: true }, async () => {
    process.exitCode = await answerRequest({ configPath, statePath, environment, input, builder, signal: exitOnSignal() });
  });
} catch (error) {
  failWith(error);
}
input.destroy();
