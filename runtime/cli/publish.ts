import { Command } from 'commander';
import { version } from '#bundle/digest.ts';
import { admitNext } from './admit.ts';
import { type BuildFlags, withBuilding } from './build.ts';
import { openReporter, reporting } from './report.ts';
import { exitOnSignal } from './signal.ts';
import { buildCommit, type Workpiece } from './workshop.ts';

type Flags = BuildFlags & { readonly acceptHistory: boolean };

/** `boottorrent publish`: builds what is missing, signs a catalog, and makes it the published one. */
export function publishCommand(): Command {
  return withBuilding(new Command('publish'))
    .description('Build what a commit needs, and publish it as a signed catalog')
    .option('--accept-history', 'although the commit does not descend from the published one', false)
    .action((flags: Flags) => reporting(flags, () => publish(flags)));
}

async function publish(flags: Flags): Promise<void> {
  const reporter = openReporter(flags);
  const { publish } = await import('#pipeline/publish.ts');
  const admit = (piece: Pick<Workpiece, 'source' | 'store'>) => admitNext(piece, flags);
  await buildCommit(flags, { reporter, signal: exitOnSignal(), admit }, async ({ built, source, store, key }) => {
    const { definitions, commit } = source;
    const { published, isNew } = await publish({ ...built, definitions, commit, store, key, nowMs: Date.now() });
    const lines = built.images.map(({ name, manifest }) => `  ${name}@${version(manifest.digest)}`);
    const title = isNew ? 'Published' : 'Unchanged, already published';
    const text = `${title}: revision ${published.revision.slice(0, 12)}, serial ${published.serial}`;
    reporter.result('published', { ...published, isNew, built: built.built }, [text, ...lines].join('\n'));
  });
}
