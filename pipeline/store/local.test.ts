import {
  chmod,
  link,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  stat,
  symlink,
  truncate,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Revision } from '#bundle/digest.ts';
import { digestOf } from './digest.ts';
import { openStore } from './local.ts';
import type { Published, Store } from './store.ts';

let directory: string;
let store: Store;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'bt-store-'));
  store = await openStore(join(directory, 'store'));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

const hello = Buffer.from('hello');
const published: Published = {
  catalog: digestOf('a'),
  signature: digestOf('b'),
  revision: '0'.repeat(40) as Revision,
  serial: 7,
  publishedAt: '2026-11-20T00:00:00.000Z',
};

test('putBytes() stores content under its SHA-256, read-only', async () => {
  const ref = await store.putBytes(hello);
  expect(ref).toEqual({ digest: '2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824', sizeBytes: 5 });
  expect(await readFile(store.blobPath(ref.digest), 'utf8')).toBe('hello');
  expect((await stat(store.blobPath(ref.digest))).mode & 0o777).toBe(0o444);
  expect(await readdir(join(store.path, 'tmp'))).toEqual([]);
});

test('putFile() moves the file into the store', async () => {
  const path = join(await store.workDirectory(), 'file');
  await writeFile(path, hello);
  const { ino } = await stat(path);
  const ref = await store.putFile(path);
  expect((await stat(store.blobPath(ref.digest))).ino).toBe(ino);
  await expect(stat(path)).rejects.toThrow('ENOENT');
});

test('putFile() with keep, or of a file with a second name, copies it', async () => {
  const path = join(directory, 'file');
  await writeFile(path, hello);
  const ref = await store.putFile(path, { keep: true });
  expect((await stat(path)).ino).not.toBe((await stat(store.blobPath(ref.digest))).ino);
  const other = join(directory, 'other');
  await writeFile(other, 'other');
  await link(other, join(directory, 'second'));
  const otherRef = await store.putFile(other);
  expect((await stat(join(directory, 'second'))).ino).not.toBe((await stat(store.blobPath(otherRef.digest))).ino);
});

test('putFile() refuses a symbolic link', async () => {
  await symlink('/etc/hostname', join(directory, 'link'));
  await expect(store.putFile(join(directory, 'link'))).rejects.toMatchObject({ code: 'BLOB_NOT_A_FILE' });
});

test('putFile() of what is there already leaves one blob and no temporary file', async () => {
  const { digest } = await store.putBytes(hello);
  await writeFile(join(directory, 'again'), hello);
  expect((await store.putFile(join(directory, 'again'))).digest).toBe(digest);
  expect(await readdir(join(store.path, 'tmp'))).toEqual([]);
});

test('putFile() of a blob of this store leaves it where it is', async () => {
  const ref = await store.putBytes(hello);
  expect(await store.putFile(store.blobPath(ref.digest))).toEqual(ref);
  expect(await store.readBlob(ref.digest, 10)).toEqual(hello);
});

test('readBlob() refuses what is missing, too large or changed', async () => {
  const { digest } = await store.putBytes(hello);
  await expect(store.readBlob(digestOf('other'), 10)).rejects.toMatchObject({ code: 'BLOB_MISSING' });
  await expect(store.readBlob(digest, 4)).rejects.toMatchObject({ code: 'BLOB_TOO_LARGE' });
  await damage(store.blobPath(digest), 'hellp');
  await expect(store.readBlob(digest, 10)).rejects.toMatchObject({ code: 'BLOB_DIGEST_MISMATCH' });
});

test('verifyBlob() notices a changed byte and a changed length', async () => {
  const ref = await store.putBytes(hello);
  await store.verifyBlob(ref);
  await damage(store.blobPath(ref.digest), 'hellp');
  await expect(store.verifyBlob(ref)).rejects.toMatchObject({ code: 'BLOB_DIGEST_MISMATCH' });
  await truncate(store.blobPath(ref.digest), 3);
  await expect(store.verifyBlob(ref)).rejects.toMatchObject({ code: 'BLOB_DIGEST_MISMATCH' });
});

test('verifyBlob() of another process believes the remembered stamp, and hashes when a time differs', async () => {
  const ref = await store.putBytes(hello);
  const stamps = join(store.path, 'verified.json');
  const before = await readFile(stamps, 'utf8');
  const other = await openStore(store.path);
  await other.verifyBlob(ref);
  expect(await readFile(stamps, 'utf8')).toBe(before);
  await utimes(store.blobPath(ref.digest), 1, 1);
  await other.verifyBlob(ref);
  expect(await readFile(stamps, 'utf8')).not.toBe(before);
});

test('putBytes() heals a damaged blob', async () => {
  const ref = await store.putBytes(hello);
  await damage(store.blobPath(ref.digest), 'hellp');
  await store.putBytes(hello);
  expect(await store.readBlob(ref.digest, 10)).toEqual(hello);
});

test('publish() replaces what readPublished() says', async () => {
  expect(await store.readPublished()).toBeUndefined();
  await store.publish(published);
  await store.publish({ ...published, serial: 8 });
  expect(await store.readPublished()).toEqual({ ...published, serial: 8 });
});

test('readBuild() gives back what writeBuild() kept', async () => {
  const inputs = digestOf('inputs');
  expect(await store.readBuild(inputs)).toBeUndefined();
  await store.writeBuild(inputs, { a: [1] });
  expect(await store.readBuild(inputs)).toEqual({ a: [1] });
  await writeFile(join(store.path, 'builds', `${inputs}.json`), '{"a":');
  expect(await store.readBuild(inputs)).toBeUndefined();
});

test('openStore() removes what a dead process left and keeps what a living one uses', async () => {
  const mine = await store.workDirectory();
  // Above the kernel's largest pid (PID_MAX_LIMIT, 2^22): never alive.
  await mkdir(join(store.path, 'tmp', '4194305-x', 'deep'), { recursive: true });
  await openStore(store.path);
  expect(await readdir(join(store.path, 'tmp'))).toEqual([mine.split('/').at(-1)]);
});

async function damage(path: string, text: string): Promise<void> {
  await chmod(path, 0o644);
  await writeFile(path, text);
}
