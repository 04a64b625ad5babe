import { execFileSync } from 'node:child_process';
import { chmod, mkdir, mkdtemp, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { directoryFiles } from '#definition/directory-files.ts';
import { overlayInputs, overlayTar } from './overlay.ts';

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'bt-overlay-'));
  await mkdir(join(directory, 'images/a/overlay/usr/bin'), { recursive: true });
  await writeFile(join(directory, 'images/a/overlay/usr/bin/run'), '#!/bin/sh\n', { mode: 0o700 });
  await writeFile(join(directory, 'images/a/overlay/motd'), 'hello', { mode: 0o600 });
});
afterEach(() => rm(directory, { recursive: true }));

test('overlayTar() is a tar that GNU tar lists: root owns, two modes, no folders, no dates', async () => {
  const tar = await overlayTar(directoryFiles(directory), { name: 'a', values: {} });
  const listed = execFileSync('tar', ['-tvf', '-', '--utc'], { input: tar, encoding: 'utf8' });
  expect(listed.replaceAll(/ +/g, ' ')).toBe(
    ['-rw-r--r-- root/root 5 1970-01-01 00:00 motd', '-rwxr-xr-x root/root 10 1970-01-01 00:00 usr/bin/run', ''].join(
      '\n',
    ),
  );
});

test('overlayTar() of the same files is the same bytes, whatever their dates and other mode bits', async () => {
  const first = await overlayTar(directoryFiles(directory), { name: 'a', values: {} });
  await utimes(join(directory, 'images/a/overlay/motd'), 1, 1);
  await chmod(join(directory, 'images/a/overlay/motd'), 0o664);
  expect(await overlayTar(directoryFiles(directory), { name: 'a', values: {} })).toEqual(first);
});

test('overlayTar() is undefined without an overlay', async () => {
  expect(await overlayTar(directoryFiles(directory), { name: 'b', values: {} })).toBeUndefined();
});

test('overlayInputs() is the same exactly when the tar is', async () => {
  const path = join(directory, 'images/a/overlay/motd');
  const inputs = () => overlayInputs(directoryFiles(directory), { name: 'a', values: {} });
  const first = await inputs();
  await utimes(path, 1, 1);
  await chmod(path, 0o664);
  expect(await inputs()).toBe(first);
  await chmod(path, 0o755);
  expect(await inputs()).not.toBe(first);
  await chmod(path, 0o644);
  await writeFile(path, 'Hello');
  expect(await inputs()).not.toBe(first);
  expect(await overlayInputs(directoryFiles(directory), { name: 'b', values: {} })).toBeUndefined();
});

test('overlayTar() fills templates in, and overlayInputs() follows their values', async () => {
  await writeFile(join(directory, 'images/a/overlay/hosts.tmpl'), 'server {{ server }}\n', { mode: 0o644 });
  const one = { name: 'a', values: { server: '10.0.0.1' } };
  const tar = await overlayTar(directoryFiles(directory), one);
  expect(execFileSync('tar', ['-xOf', '-', 'hosts'], { input: tar, encoding: 'utf8' })).toBe('server 10.0.0.1\n');
  const other = { name: 'a', values: { server: '10.0.0.2' } };
  expect(await overlayInputs(directoryFiles(directory), other)).not.toBe(
    await overlayInputs(directoryFiles(directory), one),
  );
});
