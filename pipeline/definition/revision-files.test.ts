import { execFileSync } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { encodeBase64 } from '#bundle/base64.ts';
import type { Revision } from '#bundle/digest.ts';
import { directoryFiles } from './directory-files.ts';
import type { DefinitionFiles } from './files.ts';
import { findRepository, resolveCommit, revisionFiles } from './revision-files.ts';

let directory: string;
let revision: Revision;
let committed: DefinitionFiles;
// Has the form of a secret key, and is none.
const keyLine = encodeBase64(Uint8Array.from([0x45, 0x64, 0, 0, 0x42, 0x32, ...new Array(152).fill(7)]));

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'bt-revision-'));
  await put('site/boot.config.yaml', 'site: lab\n');
  await put('site/images/a/image.yaml', 'title: A\n');
  await put('site/images/a/overlay/run', '#!/bin/sh\n');
  await put('site/images/a/overlay/umlaut-ü\nnewline', 'x');
  await chmod(join(directory, 'site/images/a/overlay/run'), 0o755);
  await symlink('/etc/passwd', join(directory, 'site/images/a/overlay/link'));
  await put('elsewhere/notes', `first\n${keyLine}\n`);
  await put('elsewhere/large *', `${'.'.repeat(1024 * 1024)}\n${keyLine}\n`);
  // A filter and a hook that would show if anything of the repository were executed.
  await put('.gitattributes', '* filter=trap diff=trap\n');
  git('init', '-q', '-b', 'main');
  git('add', '-A');
  git('-c', 'user.name=a', '-c', 'user.email=a@b', 'commit', '-q', '-m', 'x', '--date=2026-01-02T03:04:05Z');
  git('config', 'filter.trap.smudge', `touch ${directory}/executed`);
  git('config', 'diff.trap.textconv', `touch ${directory}/executed; cat`);
  git('config', 'core.fsmonitor', `touch ${directory}/executed`);
  await put('site/images/a/image.yaml', 'title: changed afterwards\n');
  revision = (await resolveCommit(directory, 'main')).revision;
  committed = await revisionFiles(directory, { revision, folder: 'site/' });
});
afterAll(async () => {
  await committed.close();
  await rm(directory, { recursive: true });
});

test('resolveCommit() names the commit of a branch, and refuses options and unknown names', async () => {
  const commit = await resolveCommit(directory, 'HEAD');
  expect(commit.revision).toBe(git('rev-parse', 'main').trim());
  expect(commit.committedAt).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.000Z$/);
  await expect(resolveCommit(directory, 'nowhere')).rejects.toMatchObject({ code: 'REVISION_UNKNOWN' });
  await expect(resolveCommit(directory, '--output=executed')).rejects.toMatchObject({ code: 'REVISION_UNKNOWN' });
});

test('findRepository() says where a folder lies in its repository', async () => {
  const found = await findRepository(join(directory, 'site'));
  expect(found.folder).toBe('site/');
  expect((await findRepository(directory)).folder).toBe('');
});

test('contentId() is the name in git, of a commit and of the same files in a directory', async () => {
  const run = 'images/a/overlay/run';
  const named = git('rev-parse', `main:site/${run}`).trim();
  expect(await committed.contentId(run)).toBe(`sha1:${named}`);
  expect(await directoryFiles(join(directory, 'site')).contentId(run)).toBe(`sha1:${named}`);
  expect(await committed.contentId('images/a/image.yaml')).not.toBe(
    await directoryFiles(join(directory, 'site')).contentId('images/a/image.yaml'),
  );
});

test('contentId() is of regular files only', async () => {
  for (const files of [committed, directoryFiles(join(directory, 'site'))]) {
    for (const path of ['images/a/overlay/link', 'images/a/none']) {
      await expect(files.contentId(path)).rejects.toMatchObject({ code: 'FILE_MISSING' });
    }
  }
});

test('list() gives the files of the commit with their kinds', async () => {
  const entries = await committed.list('images/');
  expect(entries.map(({ path, kind }) => [path, kind])).toEqual([
    ['images/a/image.yaml', 'file'],
    ['images/a/overlay/link', 'other'],
    ['images/a/overlay/run', 'executable'],
    ['images/a/overlay/umlaut-ü\nnewline', 'file'],
  ]);
});

test('list() of the directory gives the same', async () => {
  const plain = (entries: readonly { path: string; kind: string }[]) => entries.map(({ path, kind }) => [path, kind]);
  const inDirectory = await directoryFiles(join(directory, 'site')).list('images/');
  expect(plain(inDirectory)).toEqual(plain(await committed.list('images/')));
});

test('read() gives the bytes of the commit, not those of the work tree, in any order at once', async () => {
  const texts = await Promise.all(
    ['images/a/image.yaml', 'images/a/overlay/run', 'boot.config.yaml'].map((path) => committed.read(path, 100)),
  );
  expect(texts.map(String)).toEqual(['title: A\n', '#!/bin/sh\n', 'site: lab\n']);
});

test.each([
  ['nowhere', 'FILE_MISSING'],
  ['images/a/overlay/link', 'FILE_MISSING'],
  ['../elsewhere/notes', 'FILE_MISSING'],
  ['boot.config.yaml', 'FILE_TOO_LARGE'],
])('read(%j) is refused with %s', async (path, code) => {
  await expect(committed.read(path, 5)).rejects.toMatchObject({ code });
});

test('read() of a directory follows no link', async () => {
  const files = directoryFiles(join(directory, 'site'));
  await expect(files.read('images/a/overlay/link', 10_000)).rejects.toMatchObject({ code: 'FILE_MISSING' });
});

test('findSecretKeys() looks through the whole commit', async () => {
  expect(await committed.findSecretKeys()).toEqual([{ file: 'elsewhere/notes', line: 2 }]);
  const bare = join(directory, 'bare.git');
  execFileSync('git', ['clone', '-q', '--bare', directory, bare]);
  const files = await revisionFiles(bare, { revision, folder: 'site/' });
  expect(await files.findSecretKeys()).toEqual([{ file: 'elsewhere/notes', line: 2 }]);
  expect(String(await files.read('boot.config.yaml', 100))).toBe('site: lab\n');
  await files.close();
});

test('nothing of the repository was executed', async () => {
  await committed.findSecretKeys();
  expect((await readdir(directory)).filter((name) => name.startsWith('executed'))).toEqual([]);
});

async function put(path: string, text: string): Promise<void> {
  await mkdir(dirname(join(directory, path)), { recursive: true });
  await writeFile(join(directory, path), text);
}

function git(...argv: readonly string[]): string {
  return execFileSync('git', argv, { cwd: directory, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
}
