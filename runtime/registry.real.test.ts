import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { createWriteStream, existsSync, readFileSync } from 'node:fs';
import { copyFile, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { formatPublicKey } from '#bundle/signature.ts';
import { pushPublished } from '#pipeline/push.ts';
import { openRegistry } from '#pipeline/registry/client.ts';
import { parseReference } from '#pipeline/registry/reference.ts';
import { account, startRegistry, type TestRegistry } from '#pipeline/registry/testdata/docker-registry.ts';
import { openKeyPair } from '#pipeline/sign.ts';
import { openStore } from '#store/local.ts';
import { readPublishedCatalog } from '#store/published-catalog.ts';
import type { Status } from './dashboard/view.ts';
import { askSocket } from './http/ask-socket.ts';
import { programPath } from './program.ts';
import { type LiveSite, openLiveSite, siteFiles, siteText } from './testdata/live-site.ts';

const execute = promisify(execFile);
const builder = fileURLToPath(new URL('testdata/builder.ts', import.meta.url));

/** A runtime in a network of its own, which has no key: what it serves it takes from the registry. */
interface Machine {
  readonly statePath: string;
  status(): Promise<Status>;
  end(): Promise<void>;
}

let registry: TestRegistry;
/** Where the commits are; its own namespace is that of the first machine. */
let sites: readonly LiveSite[];
let machines: readonly Machine[];
let ci = '';

async function startMachine(site: LiveSite, index: number): Promise<Machine> {
  const statePath = join(site.folder, 'machine');
  await mkdir(statePath);
  const configPath = join(site.folder, 'boot.config.yaml');
  await copyFile(join(sites[0]?.repository ?? '', 'boot.config.yaml'), configPath);
  const place = ['--config', configPath, '--state', statePath];
  const run = [process.execPath, programPath, 'run', ...place, '--builder-netns', `/proc/${process.pid}/ns/net`];
  const credentials = { BOOTTORRENT_REGISTRY_USER: account.user, BOOTTORRENT_REGISTRY_PASSWORD: account.password };
  const child: ChildProcess = spawn('ip', ['netns', 'exec', site.namespace, ...run], {
    stdio: ['ignore', 'inherit', 'pipe'],
    env: { ...process.env, ...credentials },
  });
  child.stderr?.pipe(createWriteStream(join(site.folder, `log-${index}`), { flags: 'a' }));
  return {
    statePath,
    status: async () => JSON.parse(await askSocket(join(statePath, 'control.sock'), '/v1/status')) as Status,
    async end() {
      const ended = new Promise((resolve) => child.once('close', resolve));
      child.kill('SIGTERM');
      await ended;
      // No secret may have got into the log, whatever it tells.
      expect(readFileSync(join(site.folder, `log-${index}`), 'utf8')).not.toContain(account.password);
    },
  };
}

/** What the continuous integration does: builds a commit with the signing key, and pushes it. */
async function buildAndPush(revision: string): Promise<void> {
  const repository = sites[0]?.repository ?? '';
  const place = ['--config', join(repository, 'boot.config.yaml'), '--state', ci, '--repository', repository];
  await execute(process.execPath, [builder, 'publish', ...place, '--revision', revision]);
  const store = await openStore(join(ci, 'store'));
  const published = await store.readPublished();
  const { key } = await openKeyPair(ci);
  const reference = parseReference(`${registry.host}/site/boot`);
  const client = openRegistry({ reference, credentials: account, access: 'push', allowedHosts: ['127.0.0.1'] });
  if (!published) throw new Error('nothing was published');
  await pushPublished(published, { store, registry: client, keys: [key.publicKey] });
  client.close();
  for (const { statePath } of machines) await askSocket(join(statePath, 'control.sock'), '/v1/poke', { body: '{}' });
}

async function until(machine: Machine, is: (status: Status) => boolean): Promise<Status> {
  for (let tries = 0; tries < 300; tries++) {
    const status = await machine.status().catch(() => undefined);
    if (status && is(status)) return status;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`it never came to that: ${JSON.stringify(await machine.status())}`);
}

async function catalogOf({ statePath }: Machine) {
  const store = await openStore(join(statePath, 'store'));
  const published = await store.readPublished();
  if (!published) throw new Error('nothing was published');
  const { key } = await openKeyPair(ci);
  const { catalog } = await readPublishedCatalog(store, published, [key.publicKey]);
  return { catalog, digest: published.catalog, signature: published.signature };
}

beforeAll(async () => {
  registry = await startRegistry('basic');
  sites = [await openLiveSite(), await openLiveSite()];
  ci = join(sites[0]?.folder ?? '', 'ci');
  await mkdir(ci);
});
afterAll(async () => {
  for (const machine of machines ?? []) await machine.end();
  for (const site of sites) await site.close();
  await registry.close();
});

it('two runtimes that follow one repository wait for its registry, and then serve the same infohashes', async () => {
  const [first, second] = sites as [LiveSite, LiveSite];
  const { key } = await openKeyPair(ci);
  const config = siteText(
    [
      `git: { remote: "${first.repository}", poll: 1s }`,
      `store: { oci: "${registry.host}/site/boot" }`,
      `trust: { publicKeys: ["${formatPublicKey(key.publicKey)}"] }\n`,
    ].join('\n'),
  );
  const revision = await first.commit({ ...siteFiles, 'boot.config.yaml': config });
  machines = [await startMachine(first, 0), await startMachine(second, 1)];
  for (const machine of machines) {
    const { refused, faults } = await until(machine, (status) => status.refused !== undefined);
    expect({ kind: refused?.kind, said: faults[0]?.message }).toEqual({
      kind: 'waiting',
      said: `Waiting for the registry to have ${revision.slice(0, 12)}`,
    });
  }

  await buildAndPush(revision);
  for (const machine of machines) await until(machine, (status) => status.ready && status.revision === revision);
  const [one, other] = await Promise.all(machines.map(catalogOf));
  expect(other).toEqual(one);
  expect(one?.catalog.images[0]?.torrent?.infoHash).toMatch(/^[0-9a-f]{40}$/);
  for (const { statePath } of machines) expect(existsSync(join(statePath, 'keys'))).toBe(false);
});

it.runIf(process.env.BT_TEST === 'all')(
  'a next commit comes by itself, and a runtime keeps serving the last one until then',
  async () => {
    const before = await Promise.all(machines.map((machine) => machine.status()));
    const revision = (await sites[0]?.commit({ 'images/tiny/initrd': 'a newer initrd' })) ?? '';
    for (const [index, machine] of machines.entries()) {
      const status = await until(machine, ({ refused }) => refused?.revision === revision);
      expect(status).toMatchObject({ ready: true, revision: before[index]?.revision });
    }
    await buildAndPush(revision);
    for (const machine of machines) await until(machine, (status) => status.ready && status.revision === revision);
    const [one, other] = await Promise.all(machines.map(catalogOf));
    expect(other).toEqual(one);
  },
);
