import { Command } from 'commander';
import { type DefinitionFlags, findPlace, openDefinitions, withDefinitions } from './builder.ts';
import { openReporter, reporting } from './report.ts';

type Flags = DefinitionFlags & { readonly json: boolean };

/** `boottorrent validate`: reads the definitions of a commit and builds nothing. */
export function validateCommand(): Command {
  return withDefinitions(new Command('validate'))
    .description('Check boot.config.yaml and images/ of a commit; every fault is shown with its place')
    .option('--json', 'one JSON object a line on standard output', false)
    .action((flags: Flags) => reporting(flags, () => validate(flags)));
}

async function validate(flags: Flags): Promise<void> {
  const reporter = openReporter(flags);
  const { definitions, warnings, commit, files } = await openDefinitions(await findPlace(flags), flags);
  await files.close();
  reporter.warn(warnings);
  const images = definitions.images.map(({ name, arch, method }) => ({ name, arch, method }));
  const { site } = definitions.site;
  const text = [`${site}: ${images.length} images, no faults`, ...images.map((one) => `  ${one.name} (${one.method})`)];
  reporter.result('valid', { site, revision: commit.revision, images }, text.join('\n'));
}
