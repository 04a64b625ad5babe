import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { libraryPlaces } from './contents.ts';
import { copyPrograms } from './programs.ts';

/** The host's own aria2c, as if the host were unpacked packages. */
const arch = process.arch === 'arm64' ? 'arm64' : 'amd64';
const loader = basename(libraryPlaces[arch].loader);
let tree: string;

beforeAll(() => {
  tree = mkdtempSync(join(tmpdir(), 'boottorrent-programs-'));
});

afterAll(() => rmSync(tree, { recursive: true, force: true }));

it('copyPrograms() makes a program that runs from its tree alone, with stubs for what it never needs', async () => {
  const stubs = ['libssh2.so.1', 'libsqlite3.so.0'];
  await copyPrograms(['usr/bin/aria2c'], tree, { packagesPath: '/', arch, stubs });
  expect(readdirSync(join(tree, 'lib'))).toEqual(expect.arrayContaining([...stubs, loader]));
  // Only the real libssh2 needs OpenSSL.
  expect(readdirSync(join(tree, 'lib')).filter((name) => name.startsWith('libcrypto'))).toEqual([]);
  const said = execFileSync('chroot', [tree, `/lib/${loader}`, '--library-path', '/lib', '/bin/aria2c', '--version'], {
    encoding: 'utf8',
    stdio: 'pipe',
  });
  expect(said).toMatch(/^aria2 version 1\./);
});
