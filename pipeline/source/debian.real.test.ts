import { lstat, mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { pack } from 'tar-stream';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { digestOf, digestOfFile } from '../store/digest.ts';
import { openStore } from '../store/local.ts';
import type { Store } from '../store/store.ts';
import { type DebianImage, debianRequest, obtainDebianTree } from './debian.ts';
import { filesRequests, obtainFiles } from './files.ts';
import { lockPackages } from './lock.ts';
import { runProgram } from './program.ts';
import type { PreparedStep } from './run-steps.ts';
import { openToolRoot, type ToolRoot } from './tool-root.ts';
import { finishTree } from './tree.ts';

/** Kept between runs, with the tests that boot: making a tool root takes half a minute. */
const cachePath = fileURLToPath(new URL('../../.boottorrent-test/tools', import.meta.url));
/** Its installation makes ssh host keys. */
const image: DebianImage = { arch: 'amd64', suite: 'trixie', packages: ['openssh-server'], method: 'switch-root' };
const steps: readonly PreparedStep[] = [
  { kind: 'shell', text: 'useradd --system greeter; id greeter >/etc/greeter', network: false },
  { kind: 'script', path: 'again.sh', bytes: Buffer.from('#!/bin/sh\necho again >>/etc/motd\n'), network: false },
];
let directory = '';
let store: Store;
let toolRoot: ToolRoot;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'boottorrent-debian-'));
  store = await openStore(join(directory, 'store'));
  toolRoot = await openToolRoot({ cachePath });
});
afterAll(() => rm(directory, { recursive: true, force: true }));

async function overlay(files: Readonly<Record<string, string>>): Promise<Buffer> {
  const tar = pack();
  for (const [name, text] of Object.entries(files)) tar.entry({ name, mtime: new Date(0) }, text);
  tar.finalize();
  return buffer(tar as AsyncIterable<Buffer>);
}

async function build(name: string, overlayTar: Uint8Array): Promise<readonly string[]> {
  const workPath = join(directory, name);
  await mkdir(workPath);
  const lock = await lockPackages(debianRequest(image), { store, cachePath });
  const common = { store, toolRoot, workPath, cachePath };
  const { epoch } = await obtainDebianTree({ image, lock, ...common });
  const { arch, method } = image;
  const files = await finishTree({ arch, method, epoch, overlayTar, run: steps, ...common });
  return files.map(({ path }) => path);
}

it('a debian image has the same bytes twice, with the overlay, what the steps did, and nothing that must differ', async () => {
  const overlayTar = await overlay({ 'etc/motd': 'Hello\n', 'bin/greet': '#!/bin/sh\n', 'var/run/greeting': 'Hi\n' });
  const first = await build('first', overlayTar);
  await rm(join(directory, 'first', 'root'), { recursive: true });
  const second = await build('second', overlayTar);
  expect(await Promise.all(second.map((path) => digestOfFile(path)))).toEqual(
    await Promise.all(first.map((path) => digestOfFile(path))),
  );

  const tree = join(directory, 'second', 'unpacked');
  const mounts = [{ source: join(directory, 'second'), target: '/work' }];
  for (const layer of ['00-base.squashfs', '01-changes.squashfs']) {
    const argv = ['unsquashfs', '-quiet', '-no-progress', '-force', '-d', '/work/unpacked', `/work/${layer}`];
    await toolRoot.run(argv, { mounts });
  }
  const keys = await runProgram(['grep', '-rlsI', '-e', 'PRIVATE KEY-----', tree]).catch(() => '');
  expect(keys).toBe('');
  expect(await readFile(join(tree, 'etc/machine-id'), 'utf8')).toBe('');
  expect(await readFile(join(tree, 'etc/motd'), 'utf8')).toBe('Hello\nagain\n');
  expect(await readFile(join(tree, 'etc/greeter'), 'utf8')).toContain('(greeter)');
  // The overlay's /bin and /var/run are links in Debian: the files lie behind them, and programs are still there.
  expect(await readFile(join(tree, 'usr/bin/greet'), 'utf8')).toBe('#!/bin/sh\n');
  expect((await lstat(join(tree, 'bin'))).isSymbolicLink()).toBe(true);
  await expect(readFile(join(tree, 'etc/hostname'))).rejects.toThrow('ENOENT');
  await expect(readFile(join(tree, 'etc/ssh/ssh_host_ed25519_key'))).rejects.toThrow('ENOENT');
  expect(await readFile(join(tree, 'usr/sbin/sshd'))).not.toHaveLength(0);
}, 400_000);

it('ToolRoot.run() changes nothing in the tool root, sees no network, and keeps a readonly mount as it is', async () => {
  const seen = await toolRoot.run(
    ['sh', '-c', 'echo changed >/etc/hostname; cat /etc/hostname; cat /proc/net/dev'],
    {},
  );
  expect(seen).toContain('changed');
  expect(seen.match(/^ *[a-z0-9]+:/gm)?.map((one) => one.trim())).toEqual(['lo:']);
  expect(await readFile(join(toolRoot.path, 'etc/hostname'), 'utf8').catch(() => '')).not.toContain('changed');
  const mounts = [{ source: directory, target: '/here', readonly: true }];
  await expect(toolRoot.run(['touch', '/here/it'], { mounts })).rejects.toMatchObject({ code: 'PROGRAM_FAILED' });
  expect(await readFile('/proc/self/mounts', 'utf8')).not.toContain(cachePath);
});

it('ToolRoot.run() ends with everything it started when it is aborted', async () => {
  const stop = new AbortController();
  const marker = String(process.pid * 1000 + 77);
  const run = toolRoot.run(['sh', '-c', `sleep ${marker} & sleep ${marker}`], { signal: stop.signal });
  const started = async () => (await runProgram(['ps', '-e', '-o', 'args='])).includes(`sleep ${marker}`);
  while (!(await started())) await new Promise((resolve) => setTimeout(resolve, 20));
  stop.abort(new Error('enough'));
  await expect(run).rejects.toThrow('enough');
  while (await started()) await new Promise((resolve) => setTimeout(resolve, 20));
});

it('obtainFiles() takes a file out of a package, and says when it is not in there', async () => {
  const files = (path: string) =>
    [
      { name: 'greeting', role: 'kernel', origin: { kind: 'package', package: 'hostname', suite: 'trixie', path } },
    ] as const;
  const [request] = filesRequests(files('bin/hostname'), 'amd64');
  const lock = await lockPackages(request!, { store, cachePath });
  const readFolder = () => Promise.reject(new Error('no folder'));
  const obtain = async (path: string) => {
    const workPath = await store.workDirectory();
    return obtainFiles({ files: files(path), arch: 'amd64', lock, readFolder, store, workPath, cachePath });
  };
  const [found] = await obtain('usr/bin/hostname');
  expect((await readFile(found!.path)).subarray(1, 4).toString()).toBe('ELF');
  // A link to another file of the package.
  const [link] = await obtain('usr/bin/dnsdomainname');
  expect(await digestOfFile(link!.path)).toEqual(await digestOfFile(found!.path));
  for (const path of ['usr/bin/other', '../../../../../etc/passwd', 'usr/bin']) {
    await expect(obtain(path)).rejects.toMatchObject({ code: 'FILE_NOT_IN_PACKAGE' });
  }
});

it('a package whose bytes are not those of the lock is refused', async () => {
  const [locked] = await lockPackages(
    { suite: 'trixie', arch: 'amd64', packages: ['hostname'], dependencies: false },
    { store, cachePath },
  );
  const image = { arch: 'amd64', suite: 'trixie', packages: ['hostname'], method: 'switch-root' } as const;
  const lock = [{ ...locked!, sha256: digestOf('other bytes') }];
  const workPath = await store.workDirectory();
  await expect(obtainDebianTree({ image, lock, store, toolRoot, workPath, cachePath })).rejects.toMatchObject({
    code: 'PACKAGE_FETCH_FAILED',
  });
});
