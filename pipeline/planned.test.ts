import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { version } from '#bundle/digest.ts';
import { readDefinitions } from '#definition/definitions.ts';
import { resolveCommit, revisionFiles } from '#definition/revision-files.ts';
import { generateSecretKey } from '#store/ed25519.ts';
import { openStore } from '#store/local.ts';
import type { Store } from '#store/store.ts';
import { type BuiltBootstrap, build } from './build.ts';
import { packBundle } from './pack.ts';
import { planChanges } from './plan-changes.ts';
import { plannedFromCatalog, plannedFromDefinitions } from './planned.ts';
import { publish } from './publish.ts';
import { readPublishedCatalog } from './store/published-catalog.ts';

let directory: string;
let store: Store;
let bootstrap: BuiltBootstrap;
const key = generateSecretKey();

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'bt-planned-'));
  store = await openStore(join(directory, 'store'));
  const about = { arch: 'amd64', kernelRelease: '6.12' } as const;
  const release = await packBundle(store, { ...about, kind: 'bootstrap', name: 'bootstrap', files: [] });
  bootstrap = { bootstrap: release, parts: [] };
  await put(
    'boot.config.yaml',
    'site: lab\nnetwork: { interface: eth1, dhcp: { mode: proxy } }\nmenu: { default: demo }\n',
  );
  await put(
    'images/demo/image.yaml',
    'title: Demo\narch: amd64\nmethod: kexec\nsource: { files: { kernel: linux, initrd: initrd.gz } }\n',
  );
  await put('images/demo/linux', 'kernel 1');
  await put('images/demo/initrd.gz', 'initrd 1');
  git('init', '-q', '-b', 'main');
  commit('first');
});
afterEach(() => rm(directory, { recursive: true, force: true }));

test('a plan before the first catalog builds everything, and knows the sizes of committed files', async () => {
  const [image] = (await changes()).images;
  expect(image).toMatchObject({ kind: 'added', mustBuild: true, buildBytes: 16, transferBytes: 16, isEstimate: false });
});

test('a plan says what publishing then does', async () => {
  await publishHead();
  expect((await changes()).images).toMatchObject([{ kind: 'unchanged', mustBuild: false }]);
  await put('images/demo/linux', 'kernel 2, longer');
  commit('second');
  const planned = (await changes()).images[0];
  // The initrd is the same file: nobody who has the published bundle needs it again.
  expect(planned).toMatchObject({ kind: 'changed', mustBuild: true, buildBytes: 24, transferBytes: 16 });
  expect((await publishHead()).built).toEqual(['demo']);
  expect((await changes()).images).toMatchObject([{ kind: 'unchanged' }]);
  git('-c', 'user.name=a', '-c', 'user.email=a@b', 'revert', '--no-edit', 'HEAD');
  const back = (await changes()).images[0];
  expect(back).toMatchObject({ kind: 'changed', mustBuild: false, buildBytes: 0, transferBytes: 8 });
  const { built, images } = await publishHead();
  expect(built).toEqual([]);
  expect(back?.to).toBe(images[0] && version(images[0].manifest.digest));
});

async function changes() {
  const last = await store.readPublished();
  const catalog = last && (await readPublishedCatalog(store, last, [key.publicKey])).catalog;
  const before = catalog && (await plannedFromCatalog(store, catalog));
  const files = await filesOf('HEAD');
  const old = catalog && (await filesOf(catalog.revision));
  const after = await plannedFromDefinitions({
    ...(await surroundings(files)),
    bootstrap,
    ...(before && old && { before: { planned: before, files: old } }),
  });
  for (const one of [files, old]) await one?.close();
  return planChanges(before, after, { nodes: [], earlier: [] });
}

async function publishHead() {
  const commit = await resolveCommit(directory, 'HEAD');
  const files = await filesOf('HEAD');
  const options = await surroundings(files);
  const result = await build({ ...options, bootstrap: async () => bootstrap });
  await publish({ ...result, definitions: options.definitions, commit, store, key, nowMs: 0 });
  await files.close();
  return result;
}

async function filesOf(name: string) {
  return revisionFiles(directory, { revision: (await resolveCommit(directory, name)).revision });
}

async function surroundings(files: Awaited<ReturnType<typeof filesOf>>) {
  const { definitions, faults } = await readDefinitions(files);
  if (!definitions) throw new AggregateError(faults);
  const toolRoot = () => Promise.reject(new Error('files need no tools'));
  return { definitions, files, store, cachePath: join(directory, 'tools'), toolRoot };
}

async function put(path: string, text: string): Promise<void> {
  await mkdir(dirname(join(directory, path)), { recursive: true });
  await writeFile(join(directory, path), text);
}

function commit(message: string): void {
  git('add', 'boot.config.yaml', 'images');
  git('-c', 'user.name=a', '-c', 'user.email=a@b', 'commit', '-q', '-m', message);
}

function git(...argv: readonly string[]): string {
  return execFileSync('git', argv, { cwd: directory, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
}
