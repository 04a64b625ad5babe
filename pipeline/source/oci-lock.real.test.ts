import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { digestOf } from '../store/digest.ts';
import { openStore } from '../store/local.ts';
import type { Store } from '../store/store.ts';
import { formatOciLock, lockOciImage } from './oci-lock.ts';

const image = 'registry.example.org/team/node:1';
const [first, second] = [digestOf('first'), digestOf('second')];
let directory = '';
let store: Store;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'boottorrent-oci-lock-'));
  store = await openStore(join(directory, 'store'));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

const lock = (name: string, found: typeof first, change = {}) =>
  lockOciImage(name, { store, cachePath: directory, resolve: async () => found, ...change });

it('lockOciImage() looks a tag up once, and again when it is told to', async () => {
  expect(await lock(image, first)).toBe(first);
  expect(await lock(image, second)).toBe(first);
  expect(await lock(image, second, { refresh: true })).toBe(second);
});

it('lockOciImage() believes a digest in the name, and the lock file before the store', async () => {
  expect(await lock(`${image}@sha256:${first}`, second)).toBe(first);
  const lockFile = { name: 'images/a/image.lock', text: `# a word\n${formatOciLock(image, first)}` };
  expect(await lock(image, second, { lockFile, refresh: true })).toBe(first);
  const other = lock('registry.example.org/team/node:2', second, { lockFile });
  await expect(other).rejects.toMatchObject({ code: 'LOCK_STALE', location: { file: 'images/a/image.lock' } });
});
