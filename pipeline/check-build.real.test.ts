import { execFileSync } from 'node:child_process';
import { cp, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { readDefinitions } from '#definition/definitions.ts';
import { directoryFiles } from '#definition/directory-files.ts';
import { openStore } from '#store/local.ts';
import { type BuildOptions, build } from './build.ts';
import { checkImages } from './check-build.ts';
import { firstDifference } from './first-difference.ts';
import { packBundle } from './pack.ts';
import { makeSquashfs } from './source/squashfs.ts';
import { openToolRoot, type ToolRoot } from './source/tool-root.ts';

const cachePath = fileURLToPath(new URL('../.boottorrent-test/tools', import.meta.url));
let directory = '';
let toolRoot: ToolRoot;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'boottorrent-check-'));
  toolRoot = await openToolRoot({ cachePath });
  await borrowPrograms(join(directory, 'tree'));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

it('checkImages() accepts an image whose steps do the same each time', async () => {
  await expect(checkedWith('mkdir /srv/made; echo "$SOURCE_DATE_EPOCH" >/srv/made/fixed')).resolves.toBeUndefined();
});

it.each([
  ['a time', 'mkdir -p /srv/a; date +%s >/srv/a/made', '/srv/a/made has another content'],
  ['a random name', 'mktemp /srv/tmp.XXXXXX', '/srv/tmp.'],
])('checkImages() names the first file that has %s in it', async (_, step, place) => {
  await expect(checkedWith(step)).rejects.toMatchObject({
    code: 'BUILD_NOT_REPRODUCIBLE',
    message: expect.stringContaining(`the first difference is in 01-changes.squashfs: ${place}`),
  });
});

it('firstDifference() looks into a squashfs behind a header, and else names the byte', async () => {
  const store = await openStore(join(directory, 'difference'));
  const paths = [];
  for (const text of ['one', 'two']) {
    const tree = join(directory, `tree-${text}`);
    await put(join(tree, 'etc/same'), 'same');
    await put(join(tree, 'etc/text'), text);
    await makeSquashfs(toolRoot, tree, join(directory, text));
    const initrd = join(store.path, 'blobs', `${text}.initrd`);
    execFileSync('sh', ['-c', `{ printf 'header root.squashfs\\0'; cat ${join(directory, text)}; } >${initrd}`]);
    paths.push(initrd);
  }
  const [one = '', two = ''] = paths;
  const options = { store, toolRoot: async () => toolRoot };
  expect(await firstDifference(one, two, options)).toBe('/etc/text has another content');
  const [a, b] = [join(directory, 'a'), join(directory, 'b')];
  await writeFile(a, Buffer.alloc(200_000));
  await writeFile(b, Buffer.alloc(200_000).fill(1, 150_000));
  expect(await firstDifference(a, b, options)).toBe('byte 150000');
  await writeFile(b, Buffer.alloc(199_999));
  expect(await firstDifference(a, b, options)).toBe('byte 199999');
});

async function checkedWith(step: string): Promise<void> {
  const site = await mkdtemp(join(directory, 'site-'));
  await put(
    join(site, 'boot.config.yaml'),
    'site: lab\nnetwork: { interface: a, dhcp: { mode: off } }\nmenu: { default: demo }\n',
  );
  const source = `source: { directory: { path: ${join(directory, 'tree')} } }`;
  const text = `title: Demo\narch: amd64\nmethod: switch-root\n${source}\nrun: [${JSON.stringify(step)}]\n`;
  await put(join(site, 'images/demo/image.yaml'), text);
  const files = directoryFiles(site);
  const { definitions, faults } = await readDefinitions(files);
  if (!definitions) throw new AggregateError(faults);
  const store = await openStore(join(site, 'store'));
  const allowed = { ...definitions.site.sources, directories: [directory] };
  const about = { kind: 'bootstrap', name: 'bootstrap', arch: 'amd64', files: [] } as const;
  const bootstrap = async () => ({ bootstrap: await packBundle(store, about), parts: [] });
  const options: BuildOptions = {
    ...{ definitions, files, store, cachePath, allowed, bootstrap, toolRoot: async () => toolRoot },
  };
  const { images } = await build(options);
  await checkImages(images, options);
}

/** The least that a step needs: a shell, some programs, and the C library. */
async function borrowPrograms(tree: string): Promise<void> {
  const programs = ['sh', 'dash', 'date', 'mktemp', 'mkdir', 'chmod', 'cut', 'tr'].map((name) => `usr/bin/${name}`);
  const names = ['libc.so.6', 'libselinux.so.1', 'libpcre2-8.so.0'];
  const libraries = [...names.map((name) => `usr/lib/x86_64-linux-gnu/${name}`), 'usr/lib64/ld-linux-x86-64.so.2'];
  for (const path of [...programs, ...libraries]) {
    await mkdir(dirname(join(tree, path)), { recursive: true });
    await cp(join(toolRoot.path, path), join(tree, path), { dereference: true });
  }
  for (const name of ['bin', 'lib', 'lib64']) await symlink(`usr/${name}`, join(tree, name));
  for (const name of ['srv', 'etc', 'var/log', 'var/cache']) await mkdir(join(tree, name), { recursive: true });
}

async function put(path: string, text: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, text);
}
