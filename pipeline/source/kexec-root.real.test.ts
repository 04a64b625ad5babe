import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { digestOfFile } from '../store/digest.ts';
import { openStore } from '../store/local.ts';
import type { Store } from '../store/store.ts';
import { kernelRequest, obtainKernel } from './kernel.ts';
import { makeKexecStage, stageRequest, writeStagedInitrd } from './kexec-root.ts';
import { lockPackages } from './lock.ts';
import { runProgram } from './program.ts';
import { makeSquashfs } from './squashfs.ts';
import { openToolRoot, type ToolRoot } from './tool-root.ts';

/** Kept between runs, with the tests that boot: the kernel's package has 108 MB. */
const statePath = fileURLToPath(new URL('../../.boottorrent-test', import.meta.url));
const cachePath = join(statePath, 'tools');
const distribution = { suite: 'trixie', arch: 'amd64' } as const;
const epoch = 1_700_000_000;
let directory = '';
let store: Store;
let toolRoot: ToolRoot;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'boottorrent-kexec-root-'));
  store = await openStore(join(statePath, 'store'));
  toolRoot = await openToolRoot({ cachePath });
  const lock = await lockPackages(kernelRequest(distribution), { store, cachePath });
  const workPath = join(directory, 'kernel');
  await mkdir(workPath);
  await obtainKernel({ ...distribution, lock, store, toolRoot, workPath, cachePath });
}, 300_000);
afterAll(() => rm(directory, { recursive: true, force: true }));

/** A root filesystem with nothing but kernel and modules, and whatever else lies in /boot. */
async function workDirectory(name: string, kernels: readonly string[] = []): Promise<string> {
  const workPath = join(directory, name);
  await mkdir(join(workPath, 'root'), { recursive: true });
  for (const folder of ['boot', 'usr', 'lib']) {
    await runProgram(['cp', '-al', join(directory, 'kernel', folder), join(workPath, 'root')]);
  }
  for (const kernel of kernels) await writeFile(join(workPath, 'root/boot', kernel), '');
  return workPath;
}

async function makeStage(workPath: string, kernel?: string): Promise<void> {
  const stageLock = await lockPackages(stageRequest(distribution), { store, cachePath });
  await makeKexecStage({
    ...distribution,
    stageLock,
    epoch,
    store,
    toolRoot,
    workPath,
    cachePath,
    ...(kernel !== undefined && { kernel }),
  });
}

async function makeInitrd(name: string): Promise<string> {
  const workPath = await workDirectory(name);
  await makeStage(workPath);
  expect(await readdir(join(workPath, 'root/boot'))).toEqual([]);
  await rm(join(workPath, 'root/usr/lib/modules'), { recursive: true });
  const [squashfs, out] = [join(workPath, 'root.squashfs'), join(workPath, 'initrd')];
  await makeSquashfs(toolRoot, join(workPath, 'root'), squashfs, { epoch });
  await writeStagedInitrd({ stage: join(workPath, 'stage'), squashfs, out }, epoch);
  return out;
}

it('the initrd of a kexec image is the same twice: a stage, and the squashfs as a plain archive behind it', async () => {
  const [first, second] = [await makeInitrd('first'), await makeInitrd('second')];
  expect(await digestOfFile(second)).toEqual(await digestOfFile(first));

  const bytes = await readFile(first);
  const stageBytes = (await readFile(join(directory, 'first/stage'))).length;
  const plainAt = Math.ceil(stageBytes / 4) * 4;
  expect(bytes.subarray(stageBytes, plainAt).every((byte) => byte === 0)).toBe(true);
  expect(bytes.length % 4).toBe(0);
  const cpio = (input: Buffer, ...args: string[]) =>
    execFileSync('cpio', ['--quiet', ...args], { input, maxBuffer: 1e9 });
  const root = cpio(bytes.subarray(plainAt), '-i', '--to-stdout', 'root.squashfs');
  expect(root).toEqual(await readFile(join(directory, 'first/root.squashfs')));
  const stage = cpio(await readFile(join(directory, 'first/stage.cpio')), '-it').toString();
  expect(stage.split('\n').sort()).toEqual(expect.arrayContaining(['init', 'bin/busybox', 'modules/order']));
}, 120_000);

it('the stage loads each module after what it needs, and has no other', async () => {
  const workPath = await workDirectory('order');
  await makeStage(workPath);
  const order = (await readFile(join(workPath, 'stage-tree/modules/order'), 'utf8')).trim().split('\n');
  expect(order).toEqual(expect.arrayContaining(['loop.ko', 'squashfs.ko', 'overlay.ko']));
  const files = await readdir(join(workPath, 'stage-tree/modules'));
  expect(files.toSorted()).toEqual([...order, 'order'].toSorted());
  for (const name of order) {
    const magic = (await readFile(join(workPath, 'stage-tree/modules', name))).subarray(1, 4).toString();
    expect(magic).toBe('ELF');
  }
}, 120_000);

it('a root filesystem without a kernel, or with two, is refused', async () => {
  const two = await workDirectory('two', ['vmlinuz-1.2.3']);
  await expect(makeStage(two)).rejects.toMatchObject({ code: 'KERNEL_AMBIGUOUS' });
  await rm(join(two, 'root/boot'), { recursive: true });
  await expect(makeStage(two)).rejects.toMatchObject({ code: 'KERNEL_MISSING' });
}, 120_000);

it.runIf(process.env.BT_TEST === 'all')(
  'a kernel that is named is the one that starts, whatever it is called and whatever else is there',
  async () => {
    const workPath = await workDirectory('named', ['vmlinuz-1.2.3']);
    const boot = join(workPath, 'root/boot');
    const [own = ''] = (await readdir(boot)).filter((name) => name.startsWith('vmlinuz-') && name !== 'vmlinuz-1.2.3');
    const bytes = await readFile(join(boot, own));
    await runProgram(['mv', join(boot, own), join(workPath, 'root/linux')]);
    await symlink('/etc/passwd', join(workPath, 'root/link'));
    for (const wrong of ['boot/other', 'link']) {
      await expect(makeStage(workPath, wrong)).rejects.toMatchObject({ code: 'KERNEL_MISSING' });
    }
    await makeStage(workPath, 'linux');
    expect(await readFile(join(workPath, 'vmlinuz'))).toEqual(bytes);
    expect(await readFile(join(workPath, 'stage-tree/modules/order'), 'utf8')).toContain('overlay.ko');
  },
  120_000,
);
