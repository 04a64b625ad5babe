import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { parsePublicKey } from '#bundle/signature.ts';
import { openStore } from '#store/local.ts';
import { verifyPublished } from './verify.ts';

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'bt-killed-'));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

test('a publisher that is killed at any moment leaves the old or the new catalog, whole', async () => {
  const program = fileURLToPath(new URL('testdata/publish-for-ever.ts', import.meta.url));
  let last = 0;
  for (let round = 0; round < 6; round++) {
    const child = spawn(process.execPath, [program, directory], { stdio: ['ignore', 'pipe', 'inherit'] });
    const ended = once(child, 'close');
    // It says a line for each catalog; some have been published when the kill comes, each time a little later in the next one.
    for (let seen = 0; seen < 3; seen++) await once(child.stdout, 'data');
    await new Promise((resolve) => setTimeout(resolve, round * 3));
    child.kill('SIGKILL');
    await ended;
    const store = await openStore(join(directory, 'store'));
    const verified = await verifyPublished(store, [
      parsePublicKey(await readFile(join(directory, 'keys/minisign.pub'), 'utf8')),
    ]);
    expect(verified?.catalog.serial).toBeGreaterThan(last);
    last = verified?.catalog.serial ?? 0;
    expect(await readdir(join(store.path, 'tmp'))).toEqual([]);
  }
});
