import { chmod, mkdir, mkdtemp, readFile, readlink, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { openStore } from '../store/local.ts';
import type { Store } from '../store/store.ts';
import { copyDirectory, directoryDigest } from './directory.ts';
import { runProgram } from './program.ts';
import { type PreparedStep, runSteps } from './run-steps.ts';
import { openToolRoot, type ToolRoot } from './tool-root.ts';

const cachePath = fileURLToPath(new URL('../../.boottorrent-test/tools', import.meta.url));
let directory = '';
let store: Store;
let toolRoot: ToolRoot;
let workPath = '';

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'boottorrent-tree-'));
  store = await openStore(join(directory, 'store'));
  toolRoot = await openToolRoot({ cachePath });
});
afterAll(() => rm(directory, { recursive: true, force: true }));
beforeEach(async () => {
  workPath = await store.workDirectory();
});

/** A root filesystem to run steps in: programs of the tool root, on loan. */
async function loanTree(): Promise<string> {
  const root = join(workPath, 'root');
  await mkdir(join(root, 'etc'), { recursive: true });
  for (const name of ['bin', 'lib', 'lib64', 'sbin']) await symlink(`usr/${name}`, join(root, name));
  await runProgram(['cp', '-a', '--reflink=auto', join(toolRoot.path, 'usr'), root]);
  return root;
}

function shell(text: string, network = false): PreparedStep {
  return { kind: 'shell', text, network };
}

it('runSteps() runs in order inside the tree, and shuts a step in there', async () => {
  const root = await loanTree();
  const steps = [
    shell('echo one >>/etc/log; id -u >>/etc/log; pwd >>/etc/log; echo $SOURCE_DATE_EPOCH >>/etc/log'),
    shell('cat /proc/net/dev | grep -c : >>/etc/log; grep CapEff /proc/self/status >/etc/caps'),
    shell(
      'ls / >/etc/seen; find /proc/sys -maxdepth 2 -type f -writable >/etc/settings; mount -t tmpfs x /mnt && exit 9; true',
    ),
    shell('mknod /etc/disk b 8 0 && exit 9; chroot / true && exit 9; ls /dev >/etc/devices; true'),
  ];
  await runSteps(steps, { workPath, toolRoot, epoch: 7 });
  expect(await readFile(join(root, 'etc/log'), 'utf8')).toBe('one\n0\n/\n7\n1\n');
  // CHOWN DAC_OVERRIDE FOWNER FSETID KILL SETGID SETUID NET_BIND_SERVICE SETFCAP (capabilities(7))
  expect(Number.parseInt((await readFile(join(root, 'etc/caps'), 'utf8')).split(/\s+/)[1] ?? '', 16)).toBe(0x8000_04fb);
  expect((await readFile(join(root, 'etc/seen'), 'utf8')).split('\n')).not.toContain('work');
  // Only asked about, never written: without the protection they are those of the machine that runs this test.
  expect(await readFile(join(root, 'etc/settings'), 'utf8')).toBe('');
  expect(await readFile(join(root, 'etc/devices'), 'utf8')).not.toMatch(/^(sd|vd|nvme|loop|mem|kmsg)/m);
}, 120_000);

it('runSteps() stops at the step that fails, and says which one and its last words', async () => {
  const root = await loanTree();
  const steps = [shell('echo fine >/etc/log'), shell('echo "no such mirror"; false'), shell('echo later >/etc/log')];
  const failed = runSteps(steps, { workPath, toolRoot, epoch: 0 });
  await expect(failed).rejects.toMatchObject({
    code: 'RUN_FAILED',
    message: 'Cannot build the root filesystem: run[1] failed (echo "no such mirror"; false)',
    cause: { message: expect.stringContaining('no such mirror') },
  });
  expect(await readFile(join(root, 'etc/log'), 'utf8')).toBe('fine\n');
}, 120_000);

it('runSteps() refuses a tree whose /proc is a link', async () => {
  await mkdir(join(workPath, 'root'));
  await symlink('/etc', join(workPath, 'root/proc'));
  await expect(runSteps([shell('true')], { workPath, toolRoot, epoch: 0 })).rejects.toMatchObject({
    code: 'TREE_INVALID',
  });
});

it('directoryDigest() and copyDirectory() keep a tree as it is, and only from where this machine allows it', async () => {
  const path = join(directory, 'allowed/tree');
  await mkdir(join(path, 'bin'), { recursive: true });
  await writeFile(join(path, 'bin/run'), 'run');
  await symlink('/bin/run', join(path, 'bin/link'));
  await runProgram(['chown', '7:9', join(path, 'bin/run')]);
  await chmod(join(path, 'bin/run'), 0o4755);
  await runProgram(['touch', '-d', '@1000', join(path, 'bin/run'), join(path, 'bin'), path]);
  const options = { path, allowed: [join(directory, 'allowed')], store, toolRoot };
  const digest = await directoryDigest(options);
  expect(await directoryDigest(options)).toBe(digest);
  await copyDirectory({ ...options, digest, workPath });
  const said = await runProgram(['stat', '-c', '%a %u %g %Y', join(workPath, 'root/bin/run')]);
  expect(said.trim()).toBe('4755 7 9 1000');
  expect(await readlink(join(workPath, 'root/bin/link'))).toBe('/bin/run');

  await writeFile(join(path, 'bin/run'), 'ran');
  expect(await directoryDigest(options)).not.toBe(digest);
  const late = { ...options, digest, workPath: await store.workDirectory() };
  await expect(copyDirectory(late)).rejects.toMatchObject({ code: 'DIRECTORY_CHANGED' });
  await symlink('/etc', join(directory, 'allowed/elsewhere'));
  for (const wrong of ['/etc', `${path}/../../../..`, join(directory, 'allowed/elsewhere')]) {
    await expect(directoryDigest({ ...options, path: wrong })).rejects.toMatchObject({ code: 'DIRECTORY_NOT_ALLOWED' });
  }
});
