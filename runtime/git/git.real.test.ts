import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Fault } from '#bundle/fault.ts';
import { openLog } from '../log.ts';
import { openMirror } from './mirror.ts';
import { parseRemote } from './remote.ts';
import { watchRepository } from './watch.ts';

const environment = process.env;
let folder = '';
let repository = '';

function git(path: string, ...argv: string[]): string {
  const identity = ['-c', 'user.name=test', '-c', 'user.email=test@example.org'];
  return execFileSync('git', ['-C', path, ...identity, ...argv], { encoding: 'utf8', stdio: 'pipe' }).trim();
}

function commit(path: string): string {
  git(path, 'commit', '-q', '--allow-empty', '-m', 'next');
  return git(path, 'rev-parse', 'HEAD');
}

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bt-git-'));
  repository = join(folder, 'site');
  git(folder, 'init', '-q', '-b', 'main', repository);
  await writeFile(join(repository, 'boot.config.yaml'), 'site: lab\n');
  git(repository, 'add', '.');
  commit(repository);
});

afterEach(() => rm(folder, { recursive: true, force: true }));

const config = () => join(repository, 'boot.config.yaml');

async function mirror(remote = '.', branch?: string) {
  const parsed = await parseRemote(remote, config());
  return openMirror({
    path: join(folder, 'state', 'mirror.git'),
    remote: parsed,
    environment,
    ...(branch && { branch }),
  });
}

describe('openMirror()', () => {
  it('fetches the newest commit of HEAD and of a branch', async () => {
    const one = await mirror();
    expect(await one.update()).toBe(git(repository, 'rev-parse', 'HEAD'));
    const next = commit(repository);
    expect(await one.update()).toBe(next);
    expect(git(one.path, 'show', `${next}:boot.config.yaml`)).toBe('site: lab');
    git(repository, 'checkout', '-q', '-b', 'other');
    const other = commit(repository);
    expect(await one.update()).toBe(other);
    expect(await (await mirror('.', 'main')).update()).toBe(next);
  });

  it('goes back with a branch that was set back', async () => {
    const one = await mirror();
    const first = await one.update();
    commit(repository);
    await one.update();
    git(repository, 'reset', '-q', '--hard', 'HEAD~1');
    expect(await one.update()).toBe(first);
  });

  it('follows an added worktree', async () => {
    const added = join(folder, 'added');
    git(repository, 'worktree', 'add', '-q', '-b', 'lab', added);
    const head = commit(added);
    const remote = await parseRemote('.', join(added, 'boot.config.yaml'));
    expect(remote.local?.commonPath).toBe(join(repository, '.git'));
    expect(await (await openMirror({ path: join(folder, 'm'), remote, environment })).update()).toBe(head);
  });

  it('reads a repository that belongs to somebody else', async () => {
    execFileSync('chown', ['-R', '12345:12345', repository]);
    await expect((await mirror()).update()).resolves.toMatch(/^[0-9a-f]{40}$/);
  });

  it('runs no hook of the followed repository and no global configuration', async () => {
    const told = join(folder, 'told');
    await writeFile(join(repository, '.git', 'hooks', 'reference-transaction'), `#!/bin/sh\ntouch ${told}\n`, {
      mode: 0o755,
    });
    await (await mirror()).update();
    expect(existsSync(told)).toBe(false);
  });

  it.each(['ext::sh -c "touch pwned"', 'git://example.org/x', '--upload-pack=touch', 'http://example.org/x'])(
    'refuses the remote %s',
    async (remote) => {
      await expect(parseRemote(remote, config())).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
    },
  );

  it('says what is missing: no repository, no branch, and never a password', async () => {
    await expect(parseRemote('../nothing', config())).rejects.toMatchObject({ code: 'GIT_UNREACHABLE' });
    await expect((await mirror('.', 'nothing')).update()).rejects.toMatchObject({ code: 'GIT_UNREACHABLE' });
    const remote = { address: 'https://me:secret@127.0.0.1:1/x.git' };
    const far = await openMirror({ path: join(folder, 'far'), remote, environment });
    const fault = (await far.update().catch((error) => error)) as Fault;
    expect(fault.code).toBe('GIT_UNREACHABLE');
    expect(fault.message).not.toContain('secret');
    expect(fault.message).toContain('https://***@127.0.0.1');
  });
});

describe('watchRepository()', () => {
  it.each([
    ['a commit', (path: string) => commit(path)],
    [
      'a commit whose ref is then packed',
      (path: string) => {
        const head = commit(path);
        git(path, 'pack-refs', '--all');
        return head;
      },
    ],
    [
      'a checkout of another branch',
      (path: string) => {
        git(path, 'checkout', '-q', '-b', 'elsewhere');
        return commit(path);
      },
    ],
  ])('sees %s at once, long before the next poll', (_, change) => seesAtOnce('.', () => change(repository)));

  it.each([
    ['a push', () => undefined],
    ['a push whose ref is then packed', (bare: string) => git(bare, 'pack-refs', '--all')],
    ['a push to another branch that HEAD names', () => undefined, 'main:refs/heads/other'],
  ])('sees %s to a bare repository', async (_, then, refs = 'main') => {
    const bare = join(folder, 'bare.git');
    git(folder, 'clone', '-q', '--bare', repository, bare);
    if (refs !== 'main') git(bare, 'symbolic-ref', 'HEAD', 'refs/heads/other');
    if (refs !== 'main') git(bare, 'update-ref', 'refs/heads/other', 'main');
    await seesAtOnce(bare, () => {
      const head = commit(repository);
      git(repository, 'push', '-q', bare, refs);
      then(bare);
      return head;
    });
  });
});

/** @param change returns the revision that is then to be seen */
async function seesAtOnce(address: string, change: () => string): Promise<void> {
  const remote = await parseRemote(address, config());
  const stop = new AbortController();
  const seen: string[] = [];
  const watching = watchRepository({
    mirror: await mirror(address),
    pollMs: 3_600_000,
    ...(remote.local && { local: remote.local }),
    log: openLog({ level: 'silent' }),
    onRevision: (revision) => seen.push(revision),
    onFault: (fault) => seen.push(fault.code),
    random: () => 0.5,
  }).run(stop.signal);
  await expect.poll(() => seen.length, { timeout: 20_000 }).toBe(1);
  const head = change();
  await expect.poll(() => seen.at(-1), { timeout: 20_000 }).toBe(head);
  stop.abort();
  await watching;
}
