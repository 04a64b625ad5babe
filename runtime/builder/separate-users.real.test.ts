import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { writeSmallSite } from '../install/testdata/small-site.ts';

/**
 * Runtime and builder as the units run them, without systemd: two users without privileges, sockets made outside,
 * `systemd-socket-activate` in place of the builder's socket unit, and a listener in place of the service manager.
 */
const daemon = 64_101;
const builder = 64_102;
const netns = `bt-users-${process.pid}`;
const folder = mkdtempSync(join(tmpdir(), 'boottorrent-users-'));
const paths = {
  ...{ site: join(folder, 'site'), daemon: join(folder, 'daemon'), builder: join(folder, 'builder') },
  ...{
    store: join(folder, 'builder/store'),
    socket: join(folder, 'run/build.sock'),
    notify: join(folder, 'run/notify'),
  },
};
const configPath = join(paths.site, 'boot.config.yaml');
const root = fileURLToPath(new URL('../..', import.meta.url));
/** This clone at a place that the two users can see, whatever directory it lies in. */
const clone = join(folder, 'clone');
const here = (path: string) => join(clone, 'runtime', path);
const node = process.execPath.replace(root, `${clone}/`);
const soon = { timeout: 30_000, interval: 50 };
const children: ChildProcess[] = [];
let messages = '';
let log = '';
let runtime: ChildProcess;

function as(user: number, ...argv: readonly string[]): readonly string[] {
  const rights = ['--clear-groups', '--no-new-privs', '--bounding-set', '-all', '--inh-caps', '-all'];
  return ['setpriv', '--reuid', `${user}`, '--regid', `${user}`, ...rights, '--', ...argv];
}

function start(argv: readonly string[], environment: Readonly<Record<string, string>> = {}): ChildProcess {
  const env = { PATH: process.env.PATH, HOME: '/nonexistent', ...environment };
  const child = spawn(argv[0] ?? '', argv.slice(1), { stdio: ['ignore', 'pipe', 'pipe'], env });
  children.push(child);
  return child;
}

function own(path: string, user: number, group: number, mode: number): void {
  mkdirSync(path, { recursive: true });
  chownSync(path, user, group);
  chmodSync(path, mode);
}

function git(...argv: readonly string[]): string {
  const identity = ['-c', 'user.name=Test', '-c', 'user.email=test@example.org'];
  return execFileSync('git', ['-C', paths.site, ...identity, ...argv], { encoding: 'utf8', stdio: 'pipe' }).trim();
}

function commit(text: string): string {
  writeFileSync(join(paths.site, 'images/tiny/kernel'), text);
  git('add', '--all');
  git('commit', '--quiet', '-m', text);
  return git('rev-parse', 'HEAD');
}

/** What a process of the daemon's user gets for a request. */
function ask(...argv: readonly string[]): string {
  const call = as(daemon, node, here('cli/main.ts'), 'builder', 'ask', paths.socket, ...argv);
  return spawnSync(call[0] ?? '', call.slice(1), { encoding: 'utf8', timeout: 30_000 }).stdout;
}

beforeAll(async () => {
  chmodSync(folder, 0o755);
  mkdirSync(clone);
  execFileSync('mount', ['--bind', root, clone]);
  for (const argv of [
    ['netns', 'add', netns],
    ['-n', netns, 'link', 'add', 'eth1', 'type', 'veth', 'peer', 'name', 'eth2'],
    ['-n', netns, 'addr', 'add', '10.89.0.1/24', 'dev', 'eth1'],
    ...['lo', 'eth1', 'eth2'].map((name) => ['-n', netns, 'link', 'set', name, 'up']),
  ]) {
    execFileSync('ip', argv);
  }
  writeSmallSite(paths.site, { network: { interface: 'eth1', dhcp: { mode: 'proxy' } }, git: { poll: '1s' } });
  git('init', '--quiet', '--initial-branch=main');
  commit('first');
  own(paths.daemon, daemon, daemon, 0o700);
  own(paths.builder, builder, daemon, 0o750);
  for (const name of ['', 'blobs', 'builds', 'catalogs', 'tmp']) own(join(paths.store, name), builder, builder, 0o755);
  own(join(folder, 'run'), builder, daemon, 0o750);
  startBuilderSocket();
  await vi.waitUntil(() => existsSync(paths.socket), soon);
  chmodSync(paths.socket, 0o666);
  chmodSync(join(folder, 'run'), 0o755);
  const listener = start(['perl', here('systemd/testdata/notify-listener.pl'), paths.notify]);
  listener.stdout?.on('data', (text) => (messages += text));
  await vi.waitUntil(() => existsSync(paths.notify), soon);
  startRuntime();
}, 60_000);

function startBuilderSocket(): void {
  const answer = [node, here('builder/testdata/answer.ts'), configPath, paths.builder];
  const activate = ['systemd-socket-activate', '--accept', '--inetd', '--listen', paths.socket];
  const child = start(as(builder, ...activate, ...answer));
  child.stderr?.on('data', (text) => (log += text));
}

function startRuntime(): void {
  const place = ['--config', configPath, '--state', paths.daemon, '--store', paths.store];
  const run = [node, here('cli/main.ts'), 'run', ...place, '--builder-socket', paths.socket];
  const bound = ['ip', 'netns', 'exec', netns, 'perl', here('sockets/launch.pl'), 'eth1', ...as(daemon, ...run)];
  runtime = start(bound, { NOTIFY_SOCKET: paths.notify, WATCHDOG_USEC: '1000000' });
  runtime.stderr?.on('data', (text) => (log += text));
}

afterAll(async () => {
  for (const child of children.toReversed()) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    const ended = new Promise((resolve) => child.once('close', resolve));
    child.kill('SIGTERM');
    await ended;
  }
  execFileSync('ip', ['netns', 'del', netns]);
  execFileSync('umount', [clone]);
  rmdirSync(clone);
  rmSync(folder, { recursive: true, force: true });
}, 30_000);

describe('runtime and builder as two users', () => {
  it('the runtime says READY, and then what it serves, with a sign of life each half of the watchdog', async () => {
    await vi.waitUntil(() => messages.includes('READY=1'), soon).catch(() => expect.fail(log));
    await vi
      .waitUntil(() => /STATUS=Serving [0-9a-f]{12}, catalog /.test(messages), soon)
      .catch(() => expect.fail(log));
    await vi.waitUntil(() => (messages.match(/WATCHDOG=1/g) ?? []).length >= 4, soon);
  }, 90_000);

  it('the runtime has no privilege', () => {
    const status = readFileSync(`/proc/${runtime.pid}/status`, 'utf8');
    expect(status).toMatch(new RegExp(`^Uid:\\s+${daemon}\\s+${daemon}`, 'm'));
    for (const set of ['CapPrm', 'CapEff', 'CapBnd', 'CapAmb'])
      expect(status).toMatch(new RegExp(`^${set}:\\s+0+$`, 'm'));
    expect(status).toMatch(/^NoNewPrivs:\s+1$/m);
  });

  it('the key is read by the builder alone, and the store written by it alone', () => {
    const key = join(paths.builder, 'keys/minisign.key');
    const reads = (user: number) => {
      const [program = '', ...rest] = as(user, 'cat', key);
      return spawnSync(program, rest).status === 0;
    };
    expect([reads(builder), reads(daemon)]).toEqual([true, false]);
    const foreign = execFileSync('find', [paths.builder, '!', '-uid', `${builder}`], { encoding: 'utf8' });
    expect(foreign).toBe('');
  });

  it('a commit is built by the builder, and served', async () => {
    const revision = commit('second');
    await vi.waitUntil(() => messages.includes(`Serving ${revision.slice(0, 12)}`), soon).catch(() => expect.fail(log));
  }, 60_000);

  it('the builder signs nothing that is not on the followed branch', () => {
    git('checkout', '--quiet', '-b', 'aside');
    const aside = commit('aside');
    git('checkout', '--quiet', 'main');
    const published = readFileSync(join(paths.store, 'published'), 'utf8');
    expect(ask('publish', '--revision', aside, '--repository', paths.site)).toContain('REVISION_NOT_FOLLOWED');
    expect(readFileSync(join(paths.store, 'published'), 'utf8')).toBe(published);
    expect(ask('shell')).toContain('BUILD_REQUEST_INVALID');
  }, 60_000);

  it('a build ends when the runtime goes away', async () => {
    writeFileSync(join(paths.builder, 'hold'), '');
    messages = '';
    commit('third');
    const isBuilding = () => spawnSync('pgrep', ['-u', `${builder}`, '-f', 'testdata/builder.ts publish']).status === 0;
    // It has said so, and says nothing more: without a word to write, only the lost connection ends it.
    await vi.waitUntil(() => messages.includes('building 0 of 2: bootstrap'), soon);
    expect(isBuilding()).toBe(true);
    runtime.kill('SIGKILL');
    await vi.waitUntil(() => !isBuilding(), soon);
    rmSync(join(paths.builder, 'hold'));
  }, 60_000);
});
