import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { formatCatalog } from '#bundle/catalog.ts';
import { type PublicKey, parsePublicKey } from '#bundle/signature.ts';
import { verifyPublished } from '#pipeline/verify.ts';
import { digestOf } from '#store/digest.ts';
import { openStore } from '#store/local.ts';
import { openLeaseFile } from '../dhcp/lease-file.ts';
import { loadMenu } from '../reconcile/load.ts';
import { bundleProgram } from './bundled.ts';
import { imageText, makeSmallSite, type SmallSite } from './small-site.ts';
import { type Ended, runPlain } from './swept-program.ts';

/** Something that changes a state directory, and what holds wherever it is interrupted. */
export interface Operation {
  readonly name: string;
  /** The state directory before: copied for each try. */
  readonly basePath: string;
  argv(statePath: string): readonly string[];
  /** Throws unless the state is the one before or the one after, whole, and ready at once. */
  check(statePath: string, ended: Pick<Ended, 'stdout'>): Promise<'before' | 'after'>;
}

export interface Operations {
  readonly all: readonly Operation[];
  readonly folder: string;
  remove(): void;
}

const source = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const imageCount = 8;

/** A site with a history, and the operations on it. */
export async function openOperations(): Promise<Operations> {
  const site = makeSmallSite();
  const programs = join(site.folder, 'programs');
  const builder = await bundleProgram(source('../testdata/builder.ts'), programs);
  const leases = await bundleProgram(source('testdata/lease-writer.ts'), programs);
  const publish = (statePath: string, revision: string) => [
    ...[builder, 'publish', '--config', join(site.repository, 'boot.config.yaml'), '--state', statePath],
    ...['--repository', site.repository, '--revision', revision],
  ];
  const base = async (name: string, from: string | undefined, revision?: string) => {
    const path = join(site.folder, 'bases', name);
    mkdirSync(path, { recursive: true, mode: 0o700 });
    if (from !== undefined) cpSync(from, path, { recursive: true });
    if (revision !== undefined) await mustRun(publish(path, revision));
    return path;
  };
  const { first, second, third, more, reverted } = commits(site);
  const empty = await base('empty', undefined);
  const one = await base('one', empty, first);
  const two = await base('two', one, second);
  let many = two;
  for (const [index, revision] of more.entries()) many = await base(`many-${index}`, many, revision);
  const stored = (name: string, basePath: string, argv: (statePath: string) => readonly string[]) =>
    storeOperation({ name, basePath, argv });
  const gc = (statePath: string) => [
    ...[builder, 'gc', '--config', join(site.repository, 'boot.config.yaml'), '--state', statePath, '--keep', '3'],
  ];
  const all = [
    stored('first build', empty, (state) => publish(state, first)),
    stored('build of changed images', one, (state) => publish(state, second)),
    stored('publish of a command line', two, (state) => publish(state, third)),
    stored('revert', two, (state) => publish(state, reverted)),
    stored('gc', many, gc),
    leaseOperation('lease write', await base('leases', undefined), (state) => [leases, join(state, 'leases'), '12']),
  ];
  return { all: await Promise.all(all), folder: site.folder, remove: site.remove };
}

interface Commits {
  readonly first: string;
  readonly second: string;
  readonly third: string;
  readonly more: readonly string[];
  /** What undoes the second. */
  readonly reverted: string;
}

/** Begin, other bytes in half of the images, another command line, and four more with other bytes in one image. */
function commits(site: SmallSite): Commits {
  const put = (round: number, index: number) => {
    site.write(`images/image-${index}/image.yaml`, imageText('quiet'));
    site.write(`images/image-${index}/kernel`, `kernel ${index} `.repeat(200));
    site.write(`images/image-${index}/initrd`, `initrd ${index} ${round} `.repeat(200));
  };
  for (let index = 0; index < imageCount; index++) put(1, index);
  const first = site.commit('first');
  for (let index = 0; index < imageCount / 2; index++) put(2, index);
  const second = site.commit('second');
  site.git('checkout', '--quiet', '-b', 'reverted');
  site.git('revert', '--no-edit', 'HEAD');
  const reverted = site.git('rev-parse', 'HEAD');
  site.git('checkout', '--quiet', '-');
  site.write('images/image-0/image.yaml', imageText('debug'));
  const third = site.commit('third');
  const more = [3, 4, 5, 6].map((round) => {
    put(round, 0);
    return site.commit(`round ${round}`);
  });
  return { first, second, third, more, reverted };
}

async function mustRun(argv: readonly string[]): Promise<void> {
  const { status, stdout, stderr } = await runPlain(argv);
  if (status !== 0) throw new Error(`${argv[1]} ended with ${status}: ${stdout}${stderr}`);
}

/** What is published before stays byte for byte, until what comes after is complete. */
async function storeOperation(about: Omit<Operation, 'check'>): Promise<Operation> {
  const before = publishedText(about.basePath);
  const after = join(about.basePath, '..', `after-${about.name.replaceAll(' ', '-')}`);
  cpSync(about.basePath, after, { recursive: true });
  await mustRun(about.argv(after));
  const wanted = await contentOf(after);
  return {
    ...about,
    async check(statePath) {
      const startMs = performance.now();
      const now = publishedText(statePath);
      const content = await contentOf(statePath);
      const tookMs = performance.now() - startMs;
      if (tookMs > 2000) throw new Error(`ready only after ${tookMs} ms`);
      await checkKept(statePath);
      const isComplete = content === wanted && (about.name !== 'gc' || isSame(blobsOf(statePath), blobsOf(after)));
      if (isComplete) return 'after';
      if (now === before) return 'before';
      throw new Error(`neither before nor after is published: ${now}`);
    },
  };
}

/** All blobs: nothing more stays after a garbage collection that was killed and run again. */
function blobsOf(statePath: string): readonly string[] {
  return readdirSync(join(statePath, 'store', 'blobs'), { recursive: true, encoding: 'utf8' }).toSorted();
}

function isSame(left: readonly string[], right: readonly string[]): boolean {
  return left.join() === right.join();
}

function publishedText(statePath: string): string | undefined {
  const path = join(statePath, 'store', 'published');
  return existsSync(path) ? readFileSync(path, 'utf8') : undefined;
}

function keysOf(statePath: string): readonly PublicKey[] {
  return [parsePublicKey(readFileSync(join(statePath, 'keys', 'minisign.pub'), 'utf8'))];
}

/** The published catalog without its serial, every byte under it verified, loaded as the runtime does at its start. */
async function contentOf(statePath: string): Promise<string | undefined> {
  if (publishedText(statePath) === undefined) return undefined;
  const store = await openStore(join(statePath, 'store'));
  const published = await store.readPublished();
  const keys = keysOf(statePath);
  const verified = await verifyPublished(store, keys);
  if (!published || !verified) throw new Error('nothing is published');
  await loadMenu({ store, site: verified.catalog.site, keys }, published);
  return digestOf(formatCatalog({ ...verified.catalog, serial: 1 }));
}

/** The newest three catalogs can be gone back to. */
async function checkKept(statePath: string): Promise<void> {
  if (publishedText(statePath) === undefined) return;
  const store = await openStore(join(statePath, 'store'));
  const kept = (await store.catalogs()).toSorted((a, b) => b.serial - a.serial).slice(0, 3);
  for (const one of kept) await verifyPublished({ ...store, readPublished: async () => one }, keysOf(statePath));
}

/** A lease that a node was told of is there after the kill. */
async function leaseOperation(
  name: string,
  basePath: string,
  argv: (statePath: string) => readonly string[],
): Promise<Operation> {
  return {
    ...{ name, basePath, argv },
    async check(statePath, { stdout }) {
      const told = stdout.split('\n').slice(0, -1);
      const file = await openLeaseFile(join(statePath, 'leases'));
      await file.close();
      const there = [...file.leases.byAddress.values()].map((lease) => JSON.stringify(lease));
      const lost = told.filter((lease) => !there.includes(lease));
      if (lost.length > 0) throw new Error(`a lease was told and is gone: ${lost[0]}`);
      return there.length === 12 ? 'after' : 'before';
    },
  };
}
