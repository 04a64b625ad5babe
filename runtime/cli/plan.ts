import { join } from 'node:path';
import { Command } from 'commander';
import type { Catalog } from '#bundle/catalog.ts';
import { Fault } from '#bundle/fault.ts';
import type { PublicKey } from '#bundle/signature.ts';
import type { DefinitionFiles } from '#definition/files.ts';
import type { EarlierCatalog } from '#pipeline/plan-changes.ts';
import type { Planned, PlannedOptions } from '#pipeline/planned.ts';
import type { Store } from '#store/store.ts';
import { readKnownNodes } from '../known-nodes.ts';
import {
  type DefinitionFlags,
  findPlace,
  loadSiteHere,
  openDefinitions,
  type Place,
  withDefinitions,
} from './builder.ts';
import { openReporter, type Reporter, reporting } from './report.ts';
import { exitOnSignal } from './signal.ts';
import { readTrustedKeys } from './verify.ts';
import { surroundingsOf } from './workshop.ts';

interface Flags extends DefinitionFlags {
  readonly against?: string;
  readonly mirror?: string;
  readonly json: boolean;
  readonly markdown: boolean;
  readonly verbose: boolean;
}

/** `boottorrent plan`: what publishing a commit would change, without building anything. */
export function planCommand(): Command {
  return withDefinitions(new Command('plan'))
    .description('Show what publishing a commit would change: images, bytes, nodes; nothing is built')
    .option('--against <revision>', 'compare with this commit (default: with what is published)')
    .option('--mirror <uri>', "the Debian archive to use (default: this host's)")
    .option('--markdown', 'as Markdown, for the discussion of a change', false)
    .option('--verbose', 'show what the tools say', false)
    .option('--json', 'one JSON object a line on standard output', false)
    .action((flags: Flags) => reporting(flags, () => plan(flags)));
}

/** What a plan is compared with. */
interface Base {
  readonly planned?: Planned;
  readonly files?: DefinitionFiles;
  readonly about: string;
}

async function plan(flags: Flags): Promise<void> {
  const reporter = openReporter(flags);
  const place = await findPlace(flags);
  const source = await openDefinitions(place, flags);
  const open: DefinitionFiles[] = [source.files];
  try {
    reporter.warn(source.warnings);
    const work = await openWork({ flags, place, reporter });
    const catalogs = await readCatalogs(work.store, work.keys);
    const base =
      flags.against === undefined
        ? await published(flags, { ...work, catalogs })
        : await ofCommit(flags, { place, work });
    if (base.files) open.push(base.files);
    const { plannedFromDefinitions } = await import('#pipeline/planned.ts');
    const { planChanges } = await import('#pipeline/plan-changes.ts');
    const before = base.planned && { planned: base.planned, ...(base.files && { files: base.files }) };
    const after = await plannedFromDefinitions({ ...work.options, ...source, ...(before && { before }) });
    const nodes = readKnownNodes(join(place.statePath, 'nodes.db'));
    const changes = planChanges(base.planned, after, { nodes, earlier: catalogs.earlier });
    const subject = { revision: source.commit.revision, isWorktree: flags.worktree, against: base.about };
    const { planLines, planMarkdown } = await import('#pipeline/plan-lines.ts');
    const text = flags.markdown ? planMarkdown(changes, subject).trimEnd() : planLines(changes, subject).join('\n');
    reporter.result('plan', { ...subject, ...changes }, text);
  } finally {
    for (const files of open) await files.close();
  }
}

interface Work {
  readonly store: Store;
  readonly keys: readonly PublicKey[];
  readonly options: Omit<PlannedOptions, 'definitions' | 'files'>;
}

async function openWork(options: { flags: Flags; place: Place; reporter: Reporter }): Promise<Work> {
  const { flags, place, reporter } = options;
  const { site, storePath } = await loadSiteHere(place, flags);
  const store = await (await import('#store/local.ts')).openStore(storePath);
  const keys = await readTrustedKeys(site.trust.publicKeys, place.statePath).catch(noKeys);
  const surroundings = await surroundingsOf({
    flags: { ...flags, refresh: false },
    place,
    reporter,
    signal: exitOnSignal(),
  });
  const { findBootstrap } = await import('#bootstrap/build.ts');
  const tools = async () => ({ ...surroundings, store, toolRoot: await surroundings.toolRoot(), publicKeys: keys });
  const bootstrap = keys.length === 0 ? undefined : await findBootstrap({ ...(await tools()), arch: 'amd64' });
  return { store, keys, options: { ...surroundings, store, bootstrap } };
}

/** Where no key is yet nothing is published yet. */
function noKeys(error: unknown): readonly PublicKey[] {
  if (error instanceof Fault && error.code === 'PUBLIC_KEY_MISSING') return [];
  throw error;
}

interface Catalogs {
  readonly current?: Catalog;
  readonly earlier: readonly EarlierCatalog[];
}

/** The published catalog must be good; of those before it the ones that cannot be read do not count. */
async function readCatalogs(store: Store, keys: readonly PublicKey[]): Promise<Catalogs> {
  const { readPublishedCatalog } = await import('#store/published-catalog.ts');
  const last = await store.readPublished();
  if (!last) return { earlier: [] };
  const { catalog: current } = await readPublishedCatalog(store, last, keys);
  const earlier: EarlierCatalog[] = [];
  for (const one of await store.catalogs()) {
    if (one.serial >= last.serial) continue;
    const read = await readPublishedCatalog(store, one, keys).catch(() => undefined);
    if (read) earlier.push(read.catalog);
  }
  return { current, earlier };
}

async function published(flags: Flags, work: Work & { readonly catalogs: Catalogs }): Promise<Base> {
  const { store, catalogs } = work;
  const { current } = catalogs;
  if (!current) return { about: 'nothing, since nothing is published yet' };
  const { plannedFromCatalog } = await import('#pipeline/planned.ts');
  const planned = await plannedFromCatalog(store, current);
  const place = await findPlace(flags);
  const { openFiles } = await import('./builder.ts');
  const about = `what is published (${current.revision.slice(0, 12)}, serial ${current.serial})`;
  // A commit that is not in this repository: what is compared then is what the catalog says.
  const files = await openFiles(place, { ...flags, worktree: false, revision: current.revision }).catch(
    () => undefined,
  );
  return { planned, about, ...(files && { files: files.files }) };
}

async function ofCommit(flags: Flags, { place, work }: { place: Place; work: Work }): Promise<Base> {
  const { plannedFromDefinitions } = await import('#pipeline/planned.ts');
  const revision = flags.against ?? '';
  const { definitions, files, commit } = await openDefinitions(place, { ...flags, worktree: false, revision });
  try {
    const planned = await plannedFromDefinitions({ ...work.options, definitions, files });
    return { planned, files, about: commit.revision.slice(0, 12) };
  } catch (error) {
    await files.close();
    throw error;
  }
}
