import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { SourceFileDefinition } from '../definition/image.ts';
import { type CommandOptions, obtainCommand } from './command.ts';
import { openToolRoot, type ToolRoot } from './tool-root.ts';

const cachePath = fileURLToPath(new URL('../../.boottorrent-test/tools', import.meta.url));
let directory = '';
let state = '';
let toolRoot: ToolRoot;

beforeAll(async () => {
  directory = await mkdtemp('/var/cache/boottorrent-command-').catch(() =>
    mkdtemp(join(tmpdir(), 'boottorrent-command-')),
  );
  state = join(directory, 'state');
  await mkdir(join(state, 'store'), { recursive: true });
  await writeFile(join(state, 'key'), 'secret', { mode: 0o644 });
  toolRoot = await openToolRoot({ cachePath });
});
afterAll(() => rm(directory, { recursive: true, force: true }));

const files: readonly SourceFileDefinition[] = [
  { name: 'rootfs', role: 'rootfs', origin: { kind: 'path', path: 'out/rootfs' } },
];

async function make(script: string, change: Partial<CommandOptions> = {}) {
  const workPath = await mkdtemp(join(state, 'store/work-'));
  const [file] = await obtainCommand({
    command: ['sh', '-euc', script],
    environment: { NAME: 'value' },
    inputs: [{ path: 'conf/a', isExecutable: true, bytes: async () => Buffer.from('#!/bin/sh\necho input\n') }],
    files,
    network: false,
    timeoutMs: 30_000,
    isAllowed: true,
    hidden: [state],
    toolRoot,
    workPath,
    ...change,
  });
  return readFile(file!.path, 'utf8');
}

it('obtainCommand() gives what the command made of its inputs', async () => {
  const said = await make('mkdir out; { conf/a; echo $NAME; pwd; id -u; ls; } >out/rootfs');
  expect(said).toBe('input\nvalue\n/tmp/build\n65534\nconf\nout\n');
});

it('obtainCommand() shows the command nothing else: no state, no homes, no network, no rights', async () => {
  const seen = await make(`mkdir out; exec >out/rootfs 2>/dev/null
    cat ${state}/key || echo no state
    ls /root /home /run
    grep -c : /proc/net/dev
    grep Cap.*: /proc/self/status
    test -w /usr || echo read-only; test -w /etc/hostname || echo read-only; test -w /proc/sys/kernel/hostname || echo read-only`);
  expect(seen).toContain('no state\n');
  expect(seen).not.toContain('secret');
  expect(seen.match(/^Cap(Inh|Prm|Eff|Bnd|Amb):\t0{16}$/gm)).toHaveLength(5);
  expect(seen.match(/^read-only$/gm)).toHaveLength(3);
  expect(seen).toMatch(/^1$/m);
});

it('obtainCommand() runs nothing where this machine does not allow it', async () => {
  await expect(make('true', { isAllowed: false })).rejects.toMatchObject({
    code: 'COMMAND_NOT_ALLOWED',
    hint: expect.stringContaining('commands: true'),
  });
});

it('obtainCommand() ends a command that fails or lasts, and says its last words', async () => {
  await expect(make('echo "no such profile"; exit 3')).rejects.toMatchObject({
    code: 'COMMAND_FAILED',
    cause: { message: expect.stringContaining('no such profile') },
  });
  await expect(make('sleep 100 & sleep 100', { timeoutMs: 500 })).rejects.toMatchObject({
    code: 'COMMAND_FAILED',
    message: 'Cannot build the image: sh failed: it has not ended within 0.5 s',
  });
});

it.each(['true', 'mkdir out; ln -s /etc/passwd out/rootfs', 'mkdir -p out/rootfs', 'ln -s /etc out; true'])(
  'obtainCommand() takes no file that is not a regular one below its directory: %s',
  async (script) => {
    await expect(make(script)).rejects.toMatchObject({ code: 'OUTPUT_MISSING' });
  },
);
