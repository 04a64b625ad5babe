import { join } from 'node:path';
import { Command } from 'commander';
import { version } from '#bundle/digest.ts';
import type { Pulled } from '#pipeline/pull.ts';
import { admitNext } from './admit.ts';
import {
  type DefinitionFlags,
  findPlace,
  loadSiteHere,
  openDefinitions,
  type Source,
  withDefinitions,
} from './builder.ts';
import { openReporter, type Reporter, reporting } from './report.ts';
import { exitOnSignal } from './signal.ts';
import { openSiteRegistry } from './site-registry.ts';
import { readTrustedKeys } from './verify.ts';

type Flags = DefinitionFlags & { readonly acceptHistory: boolean; readonly json: boolean };

/** `boottorrent pull`: publishes here what was built and pushed elsewhere. Needs no signing key and no build tools. */
export function pullCommand(): Command {
  return withDefinitions(new Command('pull'))
    .description(
      'Take the bundles of a commit from the registry of the site (store.oci), check them, and publish them here',
    )
    .option('--accept-history', 'although the commit does not descend from the published one', false)
    .option('--json', 'one JSON object a line on standard output', false)
    .action((flags: Flags) => reporting(flags, () => pull(flags)));
}

async function pull(flags: Flags): Promise<void> {
  const reporter = openReporter(flags);
  const place = await findPlace(flags);
  const source = await openDefinitions(place, flags);
  try {
    reporter.warn(source.warnings);
    tell(await pullSource(source, flags, reporter), reporter);
  } finally {
    await source.files.close();
  }
}

async function pullSource(source: Source, flags: Flags, reporter: Reporter): Promise<Pulled> {
  const { withFileLock } = await import('#pipeline/source/file-lock.ts');
  const { openStore } = await import('#store/local.ts');
  const { pullCommit } = await import('#pipeline/pull.ts');
  const signal = exitOnSignal();
  const place = await findPlace(flags);
  const { site, storePath } = await loadSiteHere(place, flags);
  const keys = await readTrustedKeys(site.trust.publicKeys, place.statePath);
  const registry = await openSiteRegistry({ place, site }, { access: 'pull', signal });
  const { revision } = source.commit;
  const work = async () => {
    const store = await openStore(storePath);
    await admitNext({ source, store }, flags);
    const base = { store, registry, keys, site: site.site, revision };
    return pullCommit({ ...base, progress: reporter.progress, signal, nowMs: Date.now() });
  };
  return withFileLock(join(place.statePath, 'build.lock'), work, signal).finally(registry.close);
}

function tell({ published, catalog, isNew, fetchedBlobs, fetchedBytes }: Pulled, reporter: Reporter): void {
  const title = isNew ? 'Published from the registry' : 'Unchanged, already published';
  const size = `${fetchedBlobs} files, ${(fetchedBytes / 1e6).toFixed(1)} MB fetched`;
  const text = `${title}: revision ${published.revision.slice(0, 12)}, serial ${published.serial}, ${size}`;
  const lines = catalog.images.map(({ name, manifest }) => `  ${name}@${version(manifest.digest)}`);
  reporter.result('published', { ...published, isNew, fetchedBlobs, fetchedBytes }, [text, ...lines].join('\n'));
}
