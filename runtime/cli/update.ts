import { readFile, rename, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Command } from 'commander';
import { Fault } from '#bundle/fault.ts';
import type { ImageDefinition } from '#definition/image.ts';
import { findPlace, openDefinitions, type PlaceFlags, withPlace } from './builder.ts';
import { openReporter, reporting } from './report.ts';
import { exitOnSignal } from './signal.ts';
import { surroundingsOf } from './workshop.ts';

interface Flags extends PlaceFlags {
  readonly mirror?: string;
  readonly verbose: boolean;
  readonly json: boolean;
}

/** `boottorrent update`: writes image.lock beside the definitions, for somebody to look at and commit. */
export function updateCommand(): Command {
  return withPlace(new Command('update'))
    .argument('[image...]', 'names of images (default: all)')
    .description('Resolve packages and tags anew, and write them to images/<name>/image.lock; nothing is built')
    .option('--mirror <uri>', "the Debian archive to use (default: this host's)")
    .option('--verbose', 'show what the tools say', false)
    .option('--json', 'one JSON object a line on standard output', false)
    .action((names: readonly string[], flags: Flags) => reporting(flags, () => update(names, flags)));
}

async function update(names: readonly string[], flags: Flags): Promise<void> {
  const reporter = openReporter(flags);
  const signal = exitOnSignal();
  const place = await findPlace(flags);
  const { definitions, files } = await openDefinitions(place, { ...flags, revision: 'HEAD', worktree: true });
  await files.close();
  const images = choose(definitions.images, names);
  const { resolveLock, lockChanges } = await import('#pipeline/update-lock.ts');
  const options = await surroundingsOf({ flags: { ...flags, refresh: true }, place, reporter, signal });
  for (const image of images) {
    const path = join(dirname(place.configPath), 'images', image.name, 'image.lock');
    const after = await resolveLock(image, options);
    const before = await readFile(path, 'utf8').catch(() => undefined);
    const changes = lockChanges(before ?? '', after ?? '');
    if (after !== undefined && after !== before) await replace(path, after);
    const state = after === undefined ? 'nothing to lock' : after === before ? 'unchanged' : 'written';
    const shown = before === undefined ? [] : changes.map((line) => `  ${line}`);
    const count =
      after === undefined ? '' : `, ${after.split('\n').filter((line) => line.includes('sha256:')).length} entries`;
    const text = [`${image.name}: ${state}${count}`, ...shown].join('\n');
    reporter.result('lock', { image: image.name, state, changes, path }, text);
  }
}

function choose(images: readonly ImageDefinition[], names: readonly string[]): readonly ImageDefinition[] {
  const unknown = names.find((name) => !images.some((image) => image.name === name));
  if (unknown !== undefined) {
    const hint = `Name one of ${images.map(({ name }) => name).join(', ')}`;
    throw new Fault('USAGE', `Cannot update ${JSON.stringify(unknown)}: there is no such image`, { hint });
  }
  return names.length === 0 ? images : images.filter(({ name }) => names.includes(name));
}

/** Whole or not at all. */
async function replace(path: string, text: string): Promise<void> {
  const draft = `${path}.${process.pid}`;
  await writeFile(draft, text);
  await rename(draft, path);
}
