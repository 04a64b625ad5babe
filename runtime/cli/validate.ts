import { Command } from 'commander';
import { describeNeed } from '#definition/describe-need.ts';
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
  const images = definitions.images.map((image) => {
    const { name, arch, start, memoryBytes, heartbeatMs } = image;
    return { name, arch, method: start.method, memoryBytes, heartbeatMs, needs: describeNeed(image) };
  });
  const { site } = definitions.site;
  const lines = images.map(({ name, method, needs }) => `  ${name} (${method}) needs ${needs}`);
  const text = [`${site}: ${images.length} images, no faults`, ...lines];
  reporter.result('valid', { site, revision: commit.revision, images }, text.join('\n'));
}
