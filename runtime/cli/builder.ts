import { dirname, resolve } from 'node:path';
import type { Command } from 'commander';
import { Fault } from '#bundle/fault.ts';
import type { Definitions } from '#definition/definitions.ts';
import type { DefinitionFiles } from '#definition/files.ts';
import type { Commit } from '#definition/revision-files.ts';
import type { Site } from '#definition/site.ts';
import type { SiteOverlay } from '#definition/site-overlay.ts';

/** Where a verb finds the site on this machine. */
export interface PlaceFlags {
  readonly config: string;
  readonly state?: string;
  readonly overlay?: string;
}

/** Which text of the definitions a verb reads. */
export interface DefinitionFlags extends PlaceFlags {
  readonly repository?: string;
  readonly directory?: string;
  readonly revision: string;
  readonly worktree: boolean;
}

export interface Place {
  readonly configPath: string;
  readonly statePath: string;
  readonly overlay: SiteOverlay | undefined;
}

export function withPlace(command: Command): Command {
  return command
    .option('--config <file>', 'the site', 'boot.config.yaml')
    .option('--state <directory>', 'state: keys, store, caches (default: .boottorrent beside the file)')
    .option('--overlay <file>', 'JSON in the shape of boot.config.yaml, laid over it');
}

export function withDefinitions(command: Command): Command {
  return withPlace(command)
    .option('--revision <name>', 'the commit, branch or tag to read', 'HEAD')
    .option('--worktree', 'read the directory instead, committed or not', false)
    .option('--repository <path>', 'read this repository, which may be bare (default: the one of the file)')
    .option('--directory <path>', 'with --repository: where boot.config.yaml is in it', '');
}

export async function findPlace(flags: PlaceFlags): Promise<Place> {
  const { loadOverlay } = await import('#definition/site-overlay.ts');
  const configPath = resolve(flags.config);
  const statePath = resolve(flags.state ?? `${dirname(configPath)}/.boottorrent`);
  return { configPath, statePath, overlay: await loadOverlay(flags.overlay) };
}

/**
 * Store and keys are this machine's concern: they come from the file on its disk, never from a commit. With `--state`
 * the store is in there.
 */
export async function loadSiteHere(
  place: Place,
  flags: PlaceFlags,
): Promise<{ readonly site: Site; readonly storePath: string }> {
  const { loadSite } = await import('#definition/load-site.ts');
  const site = await loadSite(place.configPath, place.overlay);
  const storePath = flags.state === undefined ? site.store.path : `${place.statePath}/store`;
  return { site, storePath: resolve(dirname(place.configPath), storePath) };
}

/** What a commit says; `commit` of a directory is that of its HEAD, whose content it may differ from. */
export interface Source {
  readonly definitions: Definitions;
  readonly warnings: readonly Fault[];
  readonly commit: Commit;
  readonly files: DefinitionFiles;
  /** Absent: it was read from a directory, committed or not. */
  readonly repository?: string;
}

/**
 * Opens the definitions; the caller closes `files`.
 * @throws Fault `DEFINITIONS_INVALID`, `REVISION_UNKNOWN`
 */
export async function openDefinitions(place: Place, flags: DefinitionFlags): Promise<Source> {
  const { readDefinitions } = await import('#definition/definitions.ts');
  const { definitionsInvalid } = await import('#definition/faults.ts');
  const { files, ...from } = await openFiles(place, flags);
  try {
    const { definitions, faults, warnings } = await readDefinitions(files, place.overlay);
    if (!definitions)
      throw definitionsInvalid(flags.worktree ? dirname(place.configPath) : from.commit.revision, faults);
    return { definitions, warnings, files, ...from };
  } catch (error) {
    await files.close();
    throw error;
  }
}

/** The commit that flags name, and its files; the caller closes them. @throws Fault `REVISION_UNKNOWN` */
export async function openFiles(
  place: Place,
  flags: DefinitionFlags,
): Promise<Pick<Source, 'commit' | 'files' | 'repository'>> {
  const { findRepository, resolveCommit, revisionFiles } = await import('#definition/revision-files.ts');
  const { directoryFiles } = await import('#definition/directory-files.ts');
  const root = dirname(place.configPath);
  if (flags.worktree) return { commit: await headOf(root), files: directoryFiles(root) };
  const { repository, folder } =
    flags.repository === undefined
      ? await findRepository(root)
      : { repository: resolve(flags.repository), folder: withSlash(flags.directory ?? '') };
  const commit = await resolveCommit(repository, flags.revision);
  return { repository, commit, files: await revisionFiles(repository, { revision: commit.revision, folder }) };
}

/** A directory outside of any repository has no commit: it is shown as one of zeros, made at the beginning of time. */
async function headOf(directory: string): Promise<Commit> {
  const { resolveCommit } = await import('#definition/revision-files.ts');
  const { parseRevision } = await import('#bundle/digest.ts');
  return resolveCommit(directory, 'HEAD').catch(() => ({
    revision: parseRevision('0'.repeat(40)),
    committedAt: new Date(0).toISOString(),
  }));
}

/** @param name of the option @throws Fault `USAGE` */
export function wholeNumber(text: string, name: string): number {
  if (/^[1-9][0-9]{0,5}$/.test(text)) return Number(text);
  throw new Fault('USAGE', `Cannot use ${name} ${JSON.stringify(text)}: expected a whole number from 1 on`);
}

function withSlash(path: string): string {
  return path === '' || path.endsWith('/') ? path : `${path}/`;
}
