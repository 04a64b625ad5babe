import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import type { Role } from '#bundle/manifest.ts';
import { build } from '#pipeline/build.ts';
import { packBundle } from '#pipeline/pack.ts';
import { publish } from '#pipeline/publish.ts';
import { openKeyPair } from '#pipeline/sign.ts';
import { withFileLock } from '#pipeline/source/file-lock.ts';
import { openStore } from '#store/local.ts';
import type { Store } from '#store/store.ts';
import { admitNext } from '../cli/admit.ts';
import { findPlace, openDefinitions, type Source } from '../cli/builder.ts';
import { gcCommand } from '../cli/gc.ts';
import { failWith } from '../cli/exit.ts';
import { openReporter, reporting } from '../cli/report.ts';

const { values } = parseArgs({
  allowPositionals: true,
  options: {
    config: { type: 'string', default: '' },
    state: { type: 'string', default: '' },
    repository: { type: 'string', default: '' },
    directory: { type: 'string', default: '' },
    revision: { type: 'string', default: 'HEAD' },
    'accept-history': { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    'in-use': { type: 'string' },
    keep: { type: 'string' },
    'dry-run': { type: 'boolean' },
  },
});
const reporter = openReporter({ json: true });

function publishCommit(): Promise<void> {
  return withFileLock(join(values.state, 'build.lock'), publishLocked);
}

async function publishLocked(): Promise<void> {
  const place = await findPlace(values);
  const source = await openDefinitions(place, { ...values, worktree: false });
  try {
    await publishSource(source);
  } finally {
    await source.files.close();
  }
}

async function publishSource(source: Source): Promise<void> {
  reporter.progress({ done: 0, total: 2, name: 'bootstrap' });
  while (existsSync(join(values.state, 'hold'))) await sleep(20);
  const store = await openStore(join(values.state, 'store'));
  await admitNext({ source, store }, { ...values, acceptHistory: values['accept-history'] });
  const { key } = await openKeyPair(values.state);
  const noTools = () => Promise.reject(new Error('the images of this test need no tools'));
  const surroundings = { cachePath: join(values.state, 'tools'), log: () => {}, refresh: false };
  const built = await build({
    ...{ ...source, ...surroundings, store, toolRoot: noTools },
    bootstrap: () => smallBootstrap(store),
    progress: reporter.progress,
  });
  const { definitions, commit } = source;
  const { published } = await publish({ ...built, definitions, commit, store, key, nowMs: Date.now() });
  reporter.result('published', { ...published, built: built.built }, '');
}

async function smallBootstrap(store: Store) {
  const roles: Readonly<Record<string, Role>> = {
    ...{ vmlinuz: 'kernel', initramfs: 'initrd' },
    ...{ 'undionly.kpxe': 'nbp', 'snponly.efi': 'nbp' },
  };
  const folder = await store.workDirectory();
  const files = Object.entries(roles).map(([name, role]) => ({ name, role, path: join(folder, name) }));
  for (const { name, path } of files) await writeFile(path, name.repeat(5000));
  const about = { kind: 'bootstrap', name: 'bootstrap', arch: 'amd64', kernelRelease: '6.12.0-test' } as const;
  return { bootstrap: await packBundle(store, { ...about, files }), parts: [] };
}

async function makeKey(): Promise<void> {
  const { formatPublicKey } = await import('#bundle/signature.ts');
  const { key } = await openKeyPair(values.state);
  reporter.result('key', { publicKey: formatPublicKey(key.publicKey) }, '');
}

/** As the real builder does it. */
async function collect(): Promise<void> {
  await gcCommand().parseAsync(process.argv.slice(3), { from: 'user' });
}

const verbs: Readonly<Record<string, () => Promise<void>>> = { keygen: makeKey, gc: collect };

try {
  await reporting({ json: true, state: values.state }, verbs[process.argv[2] ?? ''] ?? publishCommit);
} catch (error) {
  failWith(error);
}
