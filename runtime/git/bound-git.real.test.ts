import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { openMirror } from './mirror.ts';
import { parseRemote } from './remote.ts';
import { goodSite, RawRepository } from './testdata/raw-repository.ts';

const address = 'ssh://host.invalid/site.git';
let folder = '';
let environment: Record<string, string | undefined> = {};
let started = '';

/** An ssh that never answers, and has a child of its own that keeps its output open. */
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bt-bound-'));
  started = join(folder, 'started');
  mkdirSync(join(folder, 'bin'));
  const hang = `#!/bin/sh\nsleep 1000 &\necho $$ $! >${started}.new\nmv ${started}.new ${started}\nwait\n`;
  writeFileSync(join(folder, 'bin', 'ssh'), hang, { mode: 0o755 });
  environment = { ...process.env, PATH: `${join(folder, 'bin')}:${process.env.PATH}` };
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const path = () => join(folder, 'state', 'mirror.git');
const pids = () => execFileSync('cat', [started], { encoding: 'utf8' }).trim().split(' ');
/** Of the ssh and its child, those that still run. */
const left = () => pids().filter((pid) => existsSync(`/proc/${pid}/exe`));
const soon = { timeout: 5000, interval: 20 };

it('ends a remote that hangs in time, and everything that git had started', async () => {
  const limits = { askMs: 1000, fetchMs: 1000, fetchBytes: 1e6 };
  const mirror = await openMirror({ path: path(), remote: { address }, branch: 'main', environment, limits });
  await expect(mirror.update()).rejects.toMatchObject({
    code: 'GIT_UNREACHABLE',
    message: expect.stringContaining('in time'),
  });
  await expect.poll(left, soon).toEqual([]);
});

it('ends them when it is told to end', async () => {
  const stop = new AbortController();
  const mirror = await openMirror({
    path: path(),
    remote: { address },
    branch: 'main',
    environment,
    signal: stop.signal,
  });
  const updating = mirror.update();
  updating.catch(() => undefined);
  await expect.poll(() => existsSync(started), soon).toBe(true);
  stop.abort(new Error('enough'));
  await expect(updating).rejects.toThrow('enough');
  await expect.poll(left, soon).toEqual([]);
});

it('ends them when this process is killed', async () => {
  const script = fileURLToPath(new URL('testdata/update.ts', import.meta.url));
  const child = spawn(process.execPath, [script, path(), address], { env: environment, stdio: 'ignore' });
  await expect.poll(() => existsSync(started), { timeout: 20_000 }).toBe(true);
  expect(left()).toHaveLength(2);
  child.kill('SIGKILL');
  await expect.poll(left, soon).toEqual([]);
});

it('leaves nobody behind who outlives git', async () => {
  writeFileSync(
    join(folder, 'bin', 'ssh'),
    `#!/bin/sh\nsleep 1000 >/dev/null 2>&1 &\necho $$ $! >${started}\nexit 1\n`,
  );
  const mirror = await openMirror({ path: path(), remote: { address }, branch: 'main', environment });
  await expect(mirror.update()).rejects.toMatchObject({ code: 'GIT_UNREACHABLE' });
  await expect.poll(left, soon).toEqual([]);
});

it('goes on after a git that was killed in its middle: half packs and locks are removed', async () => {
  const repository = new RawRepository(join(folder, 'repository.git'));
  const first = repository.publish(goodSite());
  const remote = await parseRemote(repository.path, join(folder, 'boot.config.yaml'));
  const open = () => openMirror({ path: path(), remote, branch: 'main', environment });
  expect(await (await open()).update()).toBe(first);
  for (const name of ['HEAD.lock', 'packed-refs.lock', 'refs/boottorrent/head.lock', 'objects/pack/tmp_pack_x']) {
    writeFileSync(join(path(), name), '');
  }
  const second = repository.publish(goodSite({ top: { note: 'x' } }));
  expect(await (await open()).update()).toBe(second);
  expect(readdirSync(join(path(), 'objects', 'pack')).filter((name) => name.startsWith('tmp_'))).toEqual([]);
});

it('brings nothing larger than its limit, and does not try again at every poll', async () => {
  const repository = new RawRepository(join(folder, 'repository.git'));
  repository.publish(goodSite({ top: { big: { mode: '100644', id: repository.blob(Buffer.from(noise(3e6))) } } }));
  const remote = await parseRemote(repository.path, join(folder, 'boot.config.yaml'));
  const limits = { askMs: 9000, fetchMs: 9000, fetchBytes: 1e6 };
  const mirror = await openMirror({ path: path(), remote, branch: 'main', environment, limits });
  const fault = await mirror.update().catch((error) => error);
  expect(fault).toMatchObject({ code: 'GIT_TOO_LARGE', hint: expect.stringContaining('sha256') });
  expect(await mirror.update().catch((error) => error)).toBe(fault);
  const next = repository.publish(goodSite());
  expect(await mirror.update()).toBe(next);
});

/** Bytes that do not compress, the same each time. */
function noise(count: number): Uint8Array {
  const bytes = new Uint8Array(count);
  for (let index = 0, state = 1; index < count; index++) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    bytes[index] = state >>> 16;
  }
  return bytes;
}
