import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { digestOfFile } from '../store/digest.ts';
import { beginLayers } from './layers.ts';
import { openToolRoot, type ToolRoot } from './tool-root.ts';

const cachePath = fileURLToPath(new URL('../../.boottorrent-test/tools', import.meta.url));
let directory = '';
let toolRoot: ToolRoot;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'boottorrent-layers-'));
  toolRoot = await openToolRoot({ cachePath });
});
afterAll(() => rm(directory, { recursive: true, force: true }));

/** Everything that can become of a path. */
const changes = `
echo changed >etc/changed; chmod 4755 bin/mode; chown 7:9 etc/owner; touch -d @5 etc/date
rm etc/gone; rm -r gone; rm -r became-file; echo file >became-file; rm became-folder; mkdir became-folder
echo in >became-folder/in; rm -r again; mkdir again; echo new >again/new; ln -sf /other link
mv etc/name 'etc/other
name'; ln bin/linked bin/second; mkdir -p deep/new/folder; chmod 700 deep
find . -newermt @100 -exec touch -h -d @50 {} +`;

it('the layers laid over each other are the tree, with all that can become of a path', async () => {
  const { root, layers } = await layered('all', changes);
  expect(layers.map(({ name }) => name)).toEqual(['00-base.squashfs', '01-changes.squashfs']);
  const list = `find . -mindepth 1 ! -type d -printf '%p %y %m %U:%G %T@ %s %l %n\\n' -o -type d -printf '%p %y %m %U:%G\\n' | sort`;
  const content = `find . -type f -print0 | sort -z | xargs -0 sha256sum`;
  const look = `cd "$1"; ${list}; ${content}`;
  const direct = execFileSync('sh', ['-c', look, 'sh', root], { encoding: 'utf8' });
  const work = join(directory, 'all');
  const mounts = layers.map(({ name }, at) => `mount -t squashfs -o ro,loop ${name} layer${at}`).join(' && ');
  const overlay = 'mount -t overlay -o ro,lowerdir=layer1:layer0 overlay merged';
  const script = `cd "$1" && mkdir layer0 layer1 merged && ${mounts} && ${overlay} && set -- merged && ${look}`;
  const merged = execFileSync('unshare', ['--mount', 'sh', '-c', script, 'sh', work], { encoding: 'utf8' });
  expect(merged).toBe(direct);
  expect(direct).toContain('./became-file f');
});

it('the first layer has the same digest whatever comes over it, and the second the same for the same changes', async () => {
  const one = await layered('one', 'echo one >etc/changed; rm etc/gone; touch -d @9 etc etc/changed');
  const two = await layered('two', 'echo two >etc/changed; touch -d @9 etc etc/changed');
  const again = await layered('again', 'rm etc/gone; echo one >etc/changed; touch -d @9 etc etc/changed');
  expect(two.digests[0]).toBe(one.digests[0]);
  expect(two.digests[1]).not.toBe(one.digests[1]);
  expect(again.digests).toEqual(one.digests);
});

async function layered(name: string, script: string) {
  const workPath = join(directory, name);
  const root = join(workPath, 'root');
  for (const path of [
    'etc/changed',
    'etc/gone',
    'etc/owner',
    'etc/date',
    'etc/name',
    'etc/note',
    'bin/mode',
    'bin/linked',
  ]) {
    await put(join(root, path), path);
  }
  for (const path of ['gone/a/b', 'became-file/a', 'again/old', 'deep/old']) await put(join(root, path), path);
  await put(join(root, 'became-folder'), 'file');
  execFileSync('sh', ['-euc', 'cd "$1"; ln -s /somewhere link; find . -exec touch -h -d @3 {} +', 'sh', root]);
  const layers = await beginLayers({ workPath, toolRoot, epoch: 100 });
  execFileSync('sh', ['-euc', `cd "$1"; ${script}`, 'sh', root]);
  const files = await layers.finish();
  const digests = await Promise.all(files.map(async ({ path }) => (await digestOfFile(path)).digest));
  return { root, layers: files, digests };
}

async function put(path: string, text: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, text);
}
