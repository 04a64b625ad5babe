import { Command } from 'commander';
import { version } from '#bundle/digest.ts';
import type { Pushed } from '#pipeline/push.ts';
import type { Registry } from '#pipeline/registry/client.ts';
import type { Published } from '#store/store.ts';
import { admitNext } from './admit.ts';
import { type BuildFlags, withBuilding } from './build.ts';
import { openReporter, type Reporter, reporting } from './report.ts';
import { exitOnSignal } from './signal.ts';
import { openSiteRegistry } from './site-registry.ts';
import { buildCommit, type Workpiece } from './workshop.ts';

type Flags = BuildFlags & { readonly acceptHistory: boolean; readonly push: boolean };

/** `boottorrent publish`: builds what is missing, signs a catalog, and makes it the published one. */
export function publishCommand(): Command {
  return withBuilding(new Command('publish'))
    .description('Build what a commit needs, and publish it as a signed catalog: here, and in the registry of the site')
    .option('--accept-history', 'although the commit does not descend from the published one', false)
    .option('--no-push', 'leave the registry (store.oci) alone')
    .action((flags: Flags) => reporting(flags, () => publish(flags)));
}

async function publish(flags: Flags): Promise<void> {
  const reporter = openReporter(flags);
  const signal = exitOnSignal();
  const admit = (piece: Pick<Workpiece, 'source' | 'store'>) => admitNext(piece, flags);
  await buildCommit(flags, { reporter, signal, admit }, async (piece) => {
    const pushes = flags.push && piece.site.store.oci !== undefined;
    const registry = pushes ? await openSiteRegistry(piece, { access: 'push', signal }) : undefined;
    try {
      await publishPiece(piece, { registry, reporter, signal });
    } finally {
      registry?.close();
    }
  });
}

interface Outlet {
  readonly registry: Registry | undefined;
  readonly reporter: Reporter;
  readonly signal: AbortSignal;
}

async function publishPiece(piece: Workpiece, { registry, reporter, signal }: Outlet): Promise<void> {
  const { publish } = await import('#pipeline/publish.ts');
  const { pushPublished } = await import('#pipeline/push.ts');
  const { built, source, store, key, keys } = piece;
  const { definitions, commit } = source;
  const elsewhere = registry && (await publishedElsewhere(piece, registry));
  const base = { ...built, definitions, commit, store, key, nowMs: Date.now() };
  const { published, isNew } = await publish({ ...base, ...(elsewhere && { elsewhere }) });
  const outlet = registry && { store, registry, keys, progress: reporter.progress, signal };
  const pushed = outlet && (await pushPublished(published, outlet));
  const lines = built.images.map(({ name, manifest }) => `  ${name}@${version(manifest.digest)}`);
  const title = isNew ? 'Published' : 'Unchanged, already published';
  const text = `${title}: revision ${published.revision.slice(0, 12)}, serial ${published.serial}`;
  const fields = { ...published, isNew, built: built.built, ...(pushed && { pushed }) };
  reporter.result('published', fields, [text, ...lines, ...(pushed ? [pushLine(piece, pushed)] : [])].join('\n'));
}

/** A serial rises over all that publish a site: what the registry has counts like what was published here. */
async function publishedElsewhere({ store, keys, source }: Workpiece, registry: Registry) {
  const { readLatest } = await import('#pipeline/push.ts');
  const latest = await readLatest(registry, { keys, site: source.definitions.site.site });
  if (!latest) return undefined;
  const { catalog, bytes, signature } = latest;
  const published: Published = {
    catalog: (await store.putBytes(bytes)).digest,
    signature: (await store.putBytes(signature)).digest,
    revision: catalog.revision,
    serial: catalog.serial,
    publishedAt: new Date().toISOString(),
  };
  return published;
}

function pushLine({ site }: Workpiece, { tag, sentBlobs, sentBytes }: Pushed): string {
  return `Pushed: ${site.store.oci}:${tag}, ${sentBlobs} files, ${(sentBytes / 1e6).toFixed(1)} MB sent`;
}
