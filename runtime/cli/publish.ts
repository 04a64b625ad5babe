import { Command } from 'commander';
import { version } from '#bundle/digest.ts';
import { type BuildFlags, withBuilding } from './build.ts';
import { openReporter, reporting } from './report.ts';
import { exitOnSignal } from './signal.ts';
import { buildCommit } from './workshop.ts';

/** `boottorrent publish`: builds what is missing, signs a catalog, and makes it the published one. */
export function publishCommand(): Command {
  return withBuilding(new Command('publish'))
    .description('Build what a commit needs, and publish it as a signed catalog')
    .action((flags: BuildFlags) => reporting(flags, () => publish(flags)));
}

async function publish(flags: BuildFlags): Promise<void> {
  const reporter = openReporter(flags);
  const { publish } = await import('#pipeline/publish.ts');
  await buildCommit(flags, { reporter, signal: exitOnSignal() }, async ({ built, source, store, key }) => {
    const { definitions, commit } = source;
    const { published, isNew } = await publish({ ...built, definitions, commit, store, key, nowMs: Date.now() });
    const lines = built.images.map(({ name, manifest }) => `  ${name}@${version(manifest.digest)}`);
    const title = isNew ? 'Published' : 'Unchanged, already published';
    const text = `${title}: revision ${published.revision.slice(0, 12)}, serial ${published.serial}`;
    reporter.result('published', { ...published, isNew, built: built.built }, [text, ...lines].join('\n'));
  });
}
