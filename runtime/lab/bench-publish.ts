import { execFileSync } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readDefinitions } from '#definition/definitions.ts';
import { resolveCommit, revisionFiles } from '#definition/revision-files.ts';
import { type BuildOptions, build } from '#pipeline/build.ts';
import { packBundle } from '#pipeline/pack.ts';
import { planChanges } from '#pipeline/plan-changes.ts';
import { plannedFromCatalog, plannedFromDefinitions } from '#pipeline/planned.ts';
import { publish } from '#pipeline/publish.ts';
import { generateSecretKey } from '#store/ed25519.ts';
import { openStore } from '#store/local.ts';
import { readPublishedCatalog } from '#store/published-catalog.ts';
import type { Store } from '#store/store.ts';
import { seconds } from './bench-pack.ts';

/** Seconds, from reading the commit on: without the start of Node and the look at the bootstrap. */
export interface PublishTimes {
  readonly first: number;
  readonly unchanged: number;
  readonly plan: number;
  /** A revert of a commit that replaced a file of `largeBytes`. */
  readonly revert: number;
}

export async function measurePublishing(
  directory: string,
  { images, largeBytes }: { readonly images: number; readonly largeBytes: number },
): Promise<PublishTimes> {
  const site = await makeSite(join(directory, 'site'), images);
  const store = await openStore(join(directory, 'publish-store'));
  const key = generateSecretKey();
  const once = () =>
    withCommit(site, store, async (options) => {
      const built = await build(options);
      await publish({
        ...built,
        definitions: options.definitions,
        commit: options.commit,
        store,
        key,
        nowMs: Date.now(),
      });
    });
  const first = await seconds(once);
  const unchanged = await seconds(once);
  const plan = await seconds(() => planOnce(site, store, key.publicKey));
  for (const fill of [1, 2]) {
    await writeFile(join(site, 'images/image-0/initrd.gz'), Buffer.alloc(largeBytes, fill));
    commit(site);
    await once();
  }
  git(site, 'revert', '--no-edit', 'HEAD');
  return { first, unchanged, plan, revert: await seconds(once) };
}

async function planOnce(site: string, store: Store, key: ReturnType<typeof generateSecretKey>['publicKey']) {
  await withCommit(site, store, async (options) => {
    const last = await store.readPublished();
    if (!last) throw new TypeError('nothing is published');
    const before = await plannedFromCatalog(store, (await readPublishedCatalog(store, last, [key])).catalog);
    const bootstrap = await options.bootstrap(AbortSignal.timeout(60_000));
    planChanges(before, await plannedFromDefinitions({ ...options, bootstrap }), { nodes: [], earlier: [] });
  });
}

async function withCommit(
  site: string,
  store: Store,
  work: (options: BuildOptions & { readonly commit: Awaited<ReturnType<typeof resolveCommit>> }) => Promise<void>,
): Promise<void> {
  const commit = await resolveCommit(site, 'HEAD');
  const files = await revisionFiles(site, { revision: commit.revision });
  try {
    const { definitions, faults } = await readDefinitions(files);
    if (!definitions) throw new AggregateError(faults);
    const toolRoot = () => Promise.reject(new Error('files need no tools'));
    const about = { kind: 'bootstrap', name: 'bootstrap', arch: 'amd64', files: [] } as const;
    const bootstrap = async () => ({ bootstrap: await packBundle(store, about), parts: [] });
    await work({ definitions, files, store, cachePath: join(site, '.tools'), toolRoot, bootstrap, commit });
  } finally {
    await files.close();
  }
}

async function makeSite(path: string, images: number): Promise<string> {
  await mkdir(path, { recursive: true });
  const config = 'site: bench\nnetwork: { interface: eth1, dhcp: { mode: off } }\nmenu: { default: image-0 }\n';
  await writeFile(join(path, 'boot.config.yaml'), config);
  for (let index = 0; index < images; index++) {
    const folder = join(path, `images/image-${index}`);
    await mkdir(folder, { recursive: true });
    const source = 'source: { files: { kernel: linux, initrd: initrd.gz } }';
    await writeFile(join(folder, 'image.yaml'), `title: Image ${index}\narch: amd64\nmethod: kexec\n${source}\n`);
    for (const name of ['linux', 'initrd.gz'])
      await writeFile(join(folder, name), Buffer.alloc(1_000_000, index + name));
  }
  git(path, 'init', '-q', '-b', 'main');
  commit(path);
  return path;
}

function commit(path: string): void {
  git(path, 'add', 'boot.config.yaml', 'images');
  git(path, 'commit', '-q', '-m', 'next');
}

function git(path: string, ...argv: readonly string[]): void {
  const identity = ['-c', 'user.name=bench', '-c', 'user.email=bench@example.invalid', '-c', 'gc.auto=0'];
  execFileSync('git', [...identity, ...argv], { cwd: path, stdio: 'ignore' });
}
