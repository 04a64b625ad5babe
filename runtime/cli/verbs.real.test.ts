import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';

const main = fileURLToPath(new URL('main.ts', import.meta.url));
let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'bt-verbs-'));
  put('boot.config.yaml', 'site: lab\nnetwork: { interface: eth1, dhcp: { mode: off } }\nmenu: { default: demo }\n');
  put(
    'images/demo/image.yaml',
    'title: Demo\narch: amd64\nmethod: kexec\nsource: { files: { kernel: a, initrd: b } }\n',
  );
  put('images/demo/a', 'kernel');
  put('images/demo/b', 'initrd');
  git('init', '-q');
  commit();
});
afterEach(() => rmSync(directory, { recursive: true }));

test('validate reads the last commit, and the directory only with --worktree', () => {
  put('images/demo/image.yaml', 'title: Demo\n');
  const needs = 'RAM for its files as often as kexec copies them, at least 96 MiB';
  expect(boottorrent('validate')).toMatchObject({
    status: 0,
    stdout: `lab: 1 images, no faults\n  demo (kexec) needs ${needs}\n`,
  });
  expect(boottorrent('validate', '--worktree').status).toBe(2);
});

test('validate of a broken commit ends with 2 and says every fault with its place, to people and to programs', () => {
  put('images/demo/image.yaml', 'title: Demo\narch: i386\nmethod: kexec\nsorce: {}\n');
  put('boot.config.yaml', 'site: lab\nnetwork: { interface: eth1, dhcp: { mode: off } }\nmenu: { default: dmo }\n');
  commit();
  const people = boottorrent('validate');
  expect(people.status).toBe(2);
  expect(people.stderr).toContain(
    'boot.config.yaml:3:18: Cannot find image "dmo": expected one of demo [IMAGE_UNKNOWN]',
  );
  const [line = ''] = boottorrent('validate', '--json').stdout.split('\n');
  const { kind, faults } = JSON.parse(line);
  expect(kind).toBe('faults');
  const places = faults.map((one: Record<string, unknown>) => [one.file, one.line, one.column, one.code]);
  expect(places).toEqual([
    ['boot.config.yaml', 3, 18, 'IMAGE_UNKNOWN'],
    ['images/demo/image.yaml', 1, 1, 'KEY_MISSING'],
    ['images/demo/image.yaml', 2, 7, 'VALUE_INVALID'],
    ['images/demo/image.yaml', 4, 1, 'KEY_UNKNOWN'],
  ]);
});

test('plan says what publishing would do, against what is published and against a commit, and builds nothing', () => {
  expect(boottorrent('plan').stdout).toContain('against nothing, since nothing is published yet: 1 of 1 image changes');
  put('images/demo/a', 'another kernel');
  commit();
  const { status, stdout } = boottorrent('plan', '--against', 'HEAD~1', '--json');
  expect(status).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({
    kind: 'plan',
    images: [{ name: 'demo', kind: 'changed', mustBuild: true, buildBytes: 20, transferBytes: 20 }],
  });
  expect(boottorrent('plan', '--markdown').stdout).toContain('| demo | added | new | 1 kB | 1 kB | 1 kB |');
  expect(boottorrent('plan', '--against', 'nowhere').status).toBe(2);
});

test('validate refuses a commit that holds the key that keygen made', () => {
  expect(boottorrent('keygen').status).toBe(0);
  git('add', '-f', '.boottorrent/keys/minisign.key');
  commit();
  const { status, stderr } = boottorrent('validate');
  expect(status).toBe(2);
  expect(stderr).toContain('.boottorrent/keys/minisign.key:2:1:');
  expect(stderr).toContain('[SECRET_KEY_COMMITTED]');
  expect(stderr).not.toContain(readFileSync(join(directory, '.boottorrent/keys/minisign.key'), 'utf8').split('\n')[1]);
});

test('verify accepts what was published, and ends with 3 when a byte of it changed', async () => {
  const state = join(directory, '.boottorrent');
  mkdirSync(state, { mode: 0o700 });
  const program = fileURLToPath(new URL('../../pipeline/testdata/publish-for-ever.ts', import.meta.url));
  const child = spawn(process.execPath, [program, state], { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = once(child, 'close');
  await once(child.stdout, 'data');
  child.kill('SIGKILL');
  await ended;
  expect(boottorrent('verify')).toMatchObject({ status: 0, stdout: expect.stringMatching(/^Verified: .* 2 files/) });
  const { catalog } = JSON.parse(readFileSync(join(state, 'store/published'), 'utf8'));
  const path = join(state, 'store/blobs', catalog.slice(0, 2), catalog);
  chmodSync(path, 0o644);
  writeFileSync(path, readFileSync(path, 'utf8').replace('Demo', 'Evil'));
  expect(boottorrent('verify')).toMatchObject({
    status: 3,
    stderr: expect.stringContaining('[CATALOG_DIGEST_MISMATCH]'),
  });
});

test('verify without anything published ends with 1, an unknown revision with 2', () => {
  boottorrent('keygen');
  expect(boottorrent('verify')).toMatchObject({ status: 1, stderr: expect.stringContaining('[NOTHING_PUBLISHED]') });
  expect(boottorrent('validate', '--revision', 'nowhere').status).toBe(2);
});

function boottorrent(...argv: readonly string[]) {
  return spawnSync(process.execPath, [main, ...argv], { cwd: directory, encoding: 'utf8' });
}

function put(path: string, text: string): void {
  mkdirSync(dirname(join(directory, path)), { recursive: true });
  writeFileSync(join(directory, path), text);
}

function commit(): void {
  git('add', 'boot.config.yaml', 'images');
  git('-c', 'user.name=a', '-c', 'user.email=a@b', 'commit', '-q', '-m', 'x');
}

function git(...argv: readonly string[]): void {
  execFileSync('git', argv, { cwd: directory });
}
