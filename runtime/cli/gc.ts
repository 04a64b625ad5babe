import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Command, Option } from 'commander';
import { Fault } from '#bundle/fault.ts';
import type { GcResult } from '#store/gc.ts';
import type { InUse } from '#store/in-use.ts';
import { askSocket } from '../http/ask-socket.ts';
import { checkUnlocked, controlSocketPath } from '../state-lock.ts';
import { findPlace, loadSiteHere, type Place, type PlaceFlags, wholeNumber, withPlace } from './builder.ts';
import { openReporter, reporting } from './report.ts';
import { exitOnSignal } from './signal.ts';

interface Flags extends PlaceFlags {
  readonly keep?: string;
  readonly dryRun: boolean;
  readonly inUse?: string;
  readonly json: boolean;
}

/** Catalogs that stay at least: what a revert may go back to without a build. */
const keepMinimum = 3;
/** A build may hold the lock for long. */
const waitMs = 3_600_000;

/** `boottorrent gc`: the running runtime has it done, as only that knows what is in use; else it is done here. */
export function gcCommand(): Command {
  return withPlace(new Command('gc'))
    .description('Remove from the store what no kept catalog names, no boot has, and no build needs')
    .option('--keep <catalogs>', `the newest so many stay, at least ${keepMinimum} (default: store.keep of the site)`)
    .option('--dry-run', 'only tell what would be removed', false)
    .option('--json', 'one JSON object a line on standard output', false)
    .addOption(new Option('--in-use <file>', 'what the runtime says is in use').hideHelp())
    .action((flags: Flags) => reporting(flags, () => gc(flags)));
}

async function gc(flags: Flags): Promise<void> {
  const place = await findPlace(flags);
  const keep = flags.keep === undefined ? undefined : wholeNumber(flags.keep, '--keep');
  if (keep !== undefined && keep < keepMinimum) {
    throw new Fault('USAGE', `Cannot keep ${keep} catalogs: the newest ${keepMinimum} stay always`);
  }
  const asked = flags.inUse === undefined ? await askRuntime(place, { keep, dryRun: flags.dryRun }) : undefined;
  const result = asked ?? (await collectHere(place, flags, keep));
  openReporter(flags).result('collected', { ...result }, sentence(result, flags.dryRun));
}

/** Undefined: no runtime is running. @throws Fault `STATE_LOCKED` where one is, and does not answer */
async function askRuntime(place: Place, wish: { keep: number | undefined; dryRun: boolean }) {
  try {
    const socket = controlSocketPath(place.statePath);
    return JSON.parse(await askSocket(socket, '/v1/gc', { body: JSON.stringify(wish), timeoutMs: waitMs })) as GcResult;
  } catch (error) {
    if (!(error instanceof Fault) || error.code !== 'RUNTIME_UNREACHABLE') throw error;
    await checkUnlocked(place.statePath);
    return undefined;
  }
}

async function collectHere(place: Place, flags: Flags, keep: number | undefined): Promise<GcResult> {
  const signal = exitOnSignal();
  const { site, storePath } = await loadSiteHere(place, flags);
  const { withFileLock } = await import('#pipeline/source/file-lock.ts');
  const { collectGarbage } = await import('#store/gc.ts');
  const { openStore } = await import('#store/local.ts');
  const work = async () =>
    collectGarbage({
      ...{ store: await openStore(storePath), inUse: await readInUse(place, flags), signal, dryRun: flags.dryRun },
      keep: keep ?? site.store.keep ?? keepMinimum,
    });
  return withFileLock(join(place.statePath, 'build.lock'), work, signal);
}

async function readInUse({ statePath }: Place, { inUse }: Flags): Promise<InUse> {
  const { parseInUse } = await import('#store/in-use.ts');
  if (inUse !== undefined) return parseInUse(await readFile(inUse, 'utf8'));
  const { readNodeStore } = await import('../node-store.ts');
  const { storeUse } = await import('../store-use.ts');
  const { mayFallBackTo } = await import('../boot/fallback.ts');
  const { sessions, records } = readNodeStore(join(statePath, 'nodes.db'));
  const remembered = records.flatMap(mayFallBackTo);
  return storeUse({ sessions, remembered, blobs: new Set(), nowMs: Date.now() });
}

function sentence(result: GcResult, dryRun: boolean): string {
  const { keptCatalogs, droppedCatalogs, removedBlobs, removedBuilds, freedBytes, keptBytes } = result;
  const verb = dryRun ? 'Would remove' : 'Removed';
  return [
    `${verb} ${count(droppedCatalogs, 'catalog')}, ${count(removedBlobs, 'blob')} and ${count(removedBuilds, 'build record')}: ${megabytes(freedBytes)}`,
    `${count(keptCatalogs, 'catalog')} and ${megabytes(keptBytes)} stay`,
  ].join('\n');
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}
