import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Status } from '../dashboard/view.ts';
import { askSocket } from '../http/ask-socket.ts';

const execute = promisify(execFile);
const runtimeFolder = fileURLToPath(new URL('..', import.meta.url));
let made = 0;

export const tinyImage = `title: Tiny
arch: amd64
method: kexec
source: { files: { kernel: kernel, initrd: initrd } }
cmdline: "quiet"
`;

export function siteText(more = ''): string {
  return `site: test
network:
  interface: eth1
  dhcp: { mode: full, range: [10.88.0.100, 10.88.0.150], lease: 1h }
  status: "127.0.0.1:8470"
menu: { default: tiny }
${more}`;
}

/** A whole site that needs no image tools. */
export const siteFiles = {
  'boot.config.yaml': siteText('git: { poll: 1h }\n'),
  'images/tiny/image.yaml': tinyImage,
  'images/tiny/kernel': 'kernel',
  'images/tiny/initrd': 'initrd',
} as const;

export interface LiveSite {
  /** Everything of this test is in here. */
  readonly folder: string;
  /** A repository with a work tree. */
  readonly repository: string;
  readonly statePath: string;
  /** Of the network that the runtime is in. */
  readonly namespace: string;
  /** Runs git in the repository; resolves with what it wrote on both outputs. */
  git(...argv: readonly string[]): Promise<string>;
  /** Commits these files. @returns the revision */
  commit(files: Readonly<Record<string, string>>): Promise<string>;
  start(configPath?: string): void;
  end(signal: NodeJS.Signals): Promise<void>;
  /** Runs a verb; resolves with its exit status and what it wrote on both outputs. */
  verb(...argv: readonly string[]): Promise<{ readonly status: number; readonly said: string }>;
  status(): Promise<Status>;
  /** A command in the namespace of the runtime. */
  inside(...argv: readonly string[]): Promise<string>;
  close(): Promise<void>;
}

/** A repository, and a network namespace for a runtime that serves it. */
export async function openLiveSite(): Promise<LiveSite> {
  const folder = await mkdtemp(join(tmpdir(), 'bt-live-'));
  const repository = join(folder, 'site');
  const statePath = join(folder, 'state');
  const namespace = `bt-live-${process.pid}-${made++}`;
  await execute('ip', ['netns', 'add', namespace]);
  const link = ['link', 'add', 'eth1', 'type', 'veth', 'peer', 'name', 'far'];
  for (const argv of [link, ['addr', 'add', '10.88.0.1/24', 'dev', 'eth1']]) await execute('ip', ['-n', namespace, ...argv]);
  for (const name of ['lo', 'far', 'eth1']) await execute('ip', ['-n', namespace, 'link', 'set', name, 'up']);
  await mkdir(statePath);
  let runtime: ChildProcess | undefined;

  async function run(argv: readonly string[]): Promise<{ status: number; said: string }> {
    const { code, stdout, stderr } = await execute(argv[0] ?? '', argv.slice(1), { env: gitEnvironment }).catch((e) => e);
    return { status: code ?? 0, said: stdout + stderr };
  }
  async function git(...argv: readonly string[]): Promise<string> {
    const { status, said } = await run(['git', '-C', repository, ...argv]);
    if (status !== 0) throw new Error(said);
    return said.trim();
  }
  async function end(signal: NodeJS.Signals): Promise<void> {
    if (!runtime || runtime.exitCode !== null || runtime.signalCode !== null) return;
    const ended = new Promise((resolve) => runtime?.once('close', resolve));
    runtime.kill(signal);
    await ended;
  }
  await execute('git', ['init', '-q', '-b', 'main', repository], { env: gitEnvironment });
  return {
    ...{ folder, repository, statePath, namespace, git },
    async commit(files) {
      for (const [name, text] of Object.entries(files)) {
        await mkdir(dirname(join(repository, name)), { recursive: true });
        await writeFile(join(repository, name), text);
      }
      await git('add', '-A');
      await git('commit', '-q', '--allow-empty', '-m', 'next');
      return git('rev-parse', 'HEAD');
    },
    start(configPath = join(repository, 'boot.config.yaml')) {
      const program = [process.execPath, join(runtimeFolder, 'testdata', 'run.ts'), configPath, statePath];
      const launcher = ['perl', join(runtimeFolder, 'sockets', 'launch.pl'), 'eth1'];
      const argv = ['netns', 'exec', namespace, ...launcher, ...program];
      runtime = spawn('ip', argv, { stdio: ['ignore', 'inherit', 'pipe'], env: gitEnvironment });
      runtime.stderr?.pipe(createWriteStream(join(folder, 'log'), { flags: 'a' }));
    },
    end,
    verb: (name = '', ...argv) =>
      run([process.execPath, join(runtimeFolder, 'cli', 'main.ts'), name, ...argv, '--state', statePath]),
    status: async () => JSON.parse(await askSocket(join(statePath, 'control.sock'), '/v1/status')) as Status,
    inside: async (...argv) => (await run(['ip', 'netns', 'exec', namespace, ...argv])).said,
    async close() {
      await end('SIGTERM');
      await execute('ip', ['netns', 'del', namespace]);
      await rm(folder, { recursive: true, force: true });
    },
  };
}

const gitEnvironment = {
  ...process.env,
  GIT_CONFIG_NOSYSTEM: '1',
  GIT_CONFIG_GLOBAL: '/dev/null',
  ...{ GIT_AUTHOR_NAME: 'test', GIT_AUTHOR_EMAIL: 'test@example.org' },
  ...{ GIT_COMMITTER_NAME: 'test', GIT_COMMITTER_EMAIL: 'test@example.org' },
};
