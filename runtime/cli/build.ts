import { Command } from 'commander';
import { version } from '#bundle/digest.ts';
import { type DefinitionFlags, withDefinitions } from './builder.ts';
import { openReporter, reporting } from './report.ts';
import { exitOnSignal } from './signal.ts';
import { buildCommit } from './workshop.ts';

export interface BuildFlags extends DefinitionFlags {
  readonly key?: string;
  readonly mirror?: string;
  readonly refresh: boolean;
  readonly verbose: boolean;
  readonly json: boolean;
}

export function withBuilding(command: Command): Command {
  return withDefinitions(command)
    .option('--key <file>', 'minisign secret key (default: that of the state directory, made where there is none)')
    .option('--mirror <uri>', "the Debian archive to use (default: this host's)")
    .option('--refresh', 'resolve packages anew although the store remembers which were used', false)
    .option('--verbose', 'show what the tools say', false)
    .option('--json', 'one JSON object a line on standard output', false);
}

/** `boottorrent build`: brings everything that a commit needs into the store, and leaves what is published alone. */
export function buildCommand(): Command {
  return withBuilding(new Command('build'))
    .description('Build what a commit needs, without publishing it')
    .option(
      '--check',
      'build the images once more, in other surroundings, and fail unless every byte is the same',
      false,
    )
    .action((flags: BuildFlags & Check) => reporting(flags, () => build(flags)));
}

interface Check {
  readonly check: boolean;
}

async function build(flags: BuildFlags & Check): Promise<void> {
  const reporter = openReporter(flags);
  await buildCommit(flags, { reporter, signal: exitOnSignal() }, async ({ built, options }) => {
    if (flags.check) await (await import('#pipeline/check-build.ts')).checkImages(built.images, options);
    const releases = [...built.bootstraps, ...built.images];
    const lines = releases.map(({ name, manifest, sizeBytes }) => {
      const state = built.built.includes(name) ? 'built' : 'in the store';
      return `${name}@${version(manifest.digest)} ${(sizeBytes / 1e6).toFixed(1)} MB, ${state}`;
    });
    const checked = flags.check ? ['Every image was built twice, with the same bytes'] : [];
    reporter.result('built', { releases, built: built.built, checked: flags.check }, [...lines, ...checked].join('\n'));
  });
}
