import { mkdir, mkdtemp, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { SourceFileDefinition } from '../definition/image.ts';
import { obtainIso } from './iso.ts';
import { openToolRoot, type ToolRoot } from './tool-root.ts';

const cachePath = fileURLToPath(new URL('../../.boottorrent-test/tools', import.meta.url));
let directory = '';
let toolRoot: ToolRoot;
let isoPath = '';

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'boottorrent-iso-'));
  toolRoot = await openToolRoot({ cachePath });
  const tree = join(directory, 'tree');
  await mkdir(join(tree, 'live'), { recursive: true });
  await writeFile(join(tree, 'live/vmlinuz-6.12.0-amd64_long.name'), 'kernel', { mode: 0o400 });
  await writeFile(join(tree, 'live/initrd.img'), 'initrd');
  await writeFile(join(tree, 'live/filesystem.squashfs'), Buffer.alloc(3_000_000, 7));
  await symlink('/etc/passwd', join(tree, 'live/link'));
  isoPath = join(directory, 'live.iso');
  const argv = ['xorriso', '-as', 'mkisofs', '-quiet', '-J', '-R', '-o', '/work/live.iso', '/work/tree'];
  await toolRoot.run(argv, { mounts: [{ source: directory, target: '/work' }] });
});
afterAll(() => rm(directory, { recursive: true, force: true }));

async function take(path: string) {
  const workPath = await mkdtemp(join(directory, 'work-'));
  const files: readonly SourceFileDefinition[] = [{ name: 'it', role: 'kernel', origin: { kind: 'path', path } }];
  const [file] = await obtainIso({ isoPath, files, toolRoot, workPath });
  return file!;
}

it('obtainIso() takes files out as they are', async () => {
  expect(await readFile((await take('live/vmlinuz-6.12.0-amd64_long.name')).path, 'utf8')).toBe('kernel');
  const squashfs = await take('live/filesystem.squashfs');
  expect((await stat(squashfs.path)).size).toBe(3_000_000);
  expect(squashfs).toMatchObject({ name: 'it', role: 'kernel' });
});

it.each(['live/other', 'live', 'live/link', 'live/*'])('obtainIso() says that %s is no file in it', async (path) => {
  await expect(take(path)).rejects.toMatchObject({
    code: 'FILE_NOT_IN_ISO',
    message: `Cannot take ${path} out of the ISO image: there is no such file`,
  });
});

it('obtainIso() refuses what is no ISO image', async () => {
  await writeFile(join(directory, 'other.iso'), 'no image');
  const workPath = await mkdtemp(join(directory, 'work-'));
  const files: readonly SourceFileDefinition[] = [{ name: 'it', role: 'kernel', origin: { kind: 'path', path: 'a' } }];
  const wrong = { isoPath: join(directory, 'other.iso'), files, toolRoot, workPath };
  await expect(obtainIso(wrong)).rejects.toMatchObject({ code: 'FILE_NOT_IN_ISO' });
});
