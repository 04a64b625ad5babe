import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, it } from 'vitest';

const run = promisify(execFile);
const script = fileURLToPath(new URL('scrub.sh', import.meta.url));
let root = '';

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'boottorrent-scrub-'));
  for (const path of ['etc', 'home', 'opt', 'root', 'srv', 'var/log', 'var/cache', 'run', 'tmp']) {
    await mkdir(join(root, path), { recursive: true });
  }
});
afterEach(() => rm(root, { recursive: true, force: true }));

async function write(path: string, text: string): Promise<void> {
  await mkdir(dirname(join(root, path)), { recursive: true });
  await writeFile(join(root, path), text);
}

it.each([
  'etc/ssh/ssh_host_ed25519_key',
  'etc/ssh/ssh_host_rsa_key.pub',
  'etc/hostname',
  'etc/resolv.conf',
  'var/lib/dbus/machine-id',
  'var/lib/systemd/random-seed',
  'var/lib/apt/lists/mirror_InRelease',
  'var/cache/ldconfig/aux-cache',
  'var/log/apt/term.log',
  'etc/shadow-',
])('scrub.sh removes %s', async (path) => {
  await write(path, 'the same on every node');
  await run('sh', [script, root]);
  expect(await readdir(dirname(join(root, path)))).not.toContain(basename(path));
});

it('scrub.sh leaves an empty machine-id, the log’s directories, and everything else', async () => {
  await write('etc/machine-id', '0123456789abcdef0123456789abcdef\n');
  await write('var/log/apt/term.log', 'words');
  await write('etc/ssh/sshd_config', 'Port 22\n');
  await run('sh', [script, root]);
  expect(await readFile(join(root, 'etc/machine-id'), 'utf8')).toBe('');
  expect(await readdir(join(root, 'var/log'))).toEqual(['apt']);
  expect(await readFile(join(root, 'etc/ssh/sshd_config'), 'utf8')).toBe('Port 22\n');
});

it.each(['etc/ssl/private/snakeoil.key', 'root/.ssh/id_ed25519', 'var/lib/tool/tls.pem'])(
  'scrub.sh ends with 3 and names the private key %s',
  async (path) => {
    await write(path, '-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n');
    await expect(run('sh', [script, root])).rejects.toMatchObject({ code: 3, stderr: `private key: ${path}\n` });
  },
);

it('scrub.sh cleans a tree that has next to nothing in it', async () => {
  const small = join(root, 'small');
  await mkdir(join(small, 'bin'), { recursive: true });
  await run('sh', [script, small]);
  expect(await readFile(join(small, 'etc/machine-id'), 'utf8')).toBe('');
});
