import { execFileSync, spawn } from 'node:child_process';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type LiveSite, openLiveSite, siteFiles, siteText, tinyImage } from '../testdata/live-site.ts';

const soon = { timeout: 60_000, interval: 50 };
let site: LiveSite;
let bare = '';
let configPath = '';

/** Pushes HEAD; resolves with what the pusher sees, accepted or not. */
const push = (...options: readonly string[]) =>
  site.git('push', ...options, bare, 'HEAD:main').catch((error: Error) => error.message);
const head = () => execFileSync('git', ['-C', bare, 'rev-parse', 'main'], { encoding: 'utf8' }).trim();

beforeAll(async () => {
  site = await openLiveSite();
  bare = join(site.folder, 'site.git');
  configPath = join(site.folder, 'etc', 'boot.config.yaml');
  await mkdir(join(site.folder, 'etc'));
  await writeFile(configPath, siteText(`git: { poll: 1h, remote: ${bare}, branch: main }\n`));
});
afterAll(() => site.close());

it('makes a repository, and makes its hooks anew when it is there', async () => {
  const made = await site.verb('repo', 'init', bare, '--config', configPath);
  expect(made).toMatchObject({ status: 0, said: expect.stringContaining('Made') });
  expect((await readdir(join(bare, 'hooks'))).toSorted()).toEqual(['post-receive', 'pre-receive']);
  await writeFile(
    join(bare, 'hooks', 'pre-receive'),
    (await readFile(join(bare, 'hooks', 'pre-receive'), 'utf8')).replace('exec', 'true'),
  );
  expect((await site.verb('repo', 'init', bare, '--config', configPath)).said).toContain('anew');
  expect(await readFile(join(bare, 'hooks', 'pre-receive'), 'utf8')).toContain('\nexec ');
});

it("replaces no hook of somebody else's, and takes no directory that is none", async () => {
  const other = join(site.folder, 'other.git');
  execFileSync('git', ['init', '-q', '--bare', '--template=', other]);
  await mkdir(join(other, 'hooks'));
  await writeFile(join(other, 'hooks', 'pre-receive'), '#!/bin/sh\n');
  expect(await site.verb('repo', 'init', other)).toMatchObject({
    status: 1,
    said: expect.stringContaining('REPOSITORY_UNUSABLE'),
  });
  expect(await site.verb('repo', 'init', site.repository)).toMatchObject({ status: 1 });
});

it('takes no commit with faults: all of them, with their places, in the output of the push', async () => {
  const broken = tinyImage.replace('cmdline', 'cmdlin');
  await site.commit({ ...siteFiles, 'images/tiny/image.yaml': broken, 'boot.config.yaml': siteText('colour: red\n') });
  const said = await push();
  expect(said).toContain('remote: boot.config.yaml:7:1: Cannot use key "colour"');
  expect(said).toContain('remote: images/tiny/image.yaml:5:1: Cannot use key "cmdlin"');
  expect(said).toContain('pre-receive hook declined');
  expect(head).toThrow();
  const objects = (await readdir(join(bare, 'objects'))).filter((name) => !['info', 'pack'].includes(name));
  expect(objects).toEqual([]);
});

it('takes a good one without a runtime, and says that none is running', async () => {
  const revision = await site.commit({ ...siteFiles, 'boot.config.yaml': siteText() });
  const said = await push();
  expect(said).toContain('remote: test: 1 images, no faults');
  expect(said).toContain('remote: accepted, runtime is not running');
  expect(head()).toBe(revision);
});

it('shows build, seeding and the change of the menu until the commit is served', async () => {
  site.start(configPath);
  await expect.poll(() => site.status().catch(() => undefined), soon).toMatchObject({ revision: head() });
  await writeFile(join(site.statePath, 'hold'), '');
  const revision = await site.commit({ 'images/tiny/initrd': 'second' });
  const pushing = push();
  await expect.poll(site.status, soon).toMatchObject({ building: { revision, total: 2 } });
  await new Promise((resolve) => setTimeout(resolve, 600));
  await rm(join(site.statePath, 'hold'));
  const said = await pushing;
  expect(said).toMatch(/remote: building \d of 2/);
  expect(said).toContain(`remote: serving ${revision.slice(0, 12)}, catalog `);
  expect(said).toMatch(/remote: {3}changed {2}tiny@[0-9a-f]{12} {2}Tiny/);
  expect(await site.status()).toMatchObject({ revision });
});

it('takes a rewritten history only with -o accept-history, and then the runtime still holds it back', async () => {
  const before = head();
  await site.git('commit', '-q', '--amend', '-m', 'another past');
  expect(await push('--force')).toContain('HISTORY_REWRITTEN');
  expect(head()).toBe(before);
  const said = await push('--force', '-o', 'accept-history');
  expect(said).toContain('remote: refused; what was served goes on');
  expect(said).toContain('HISTORY_REWRITTEN');
  expect(await site.status()).toMatchObject({ revision: before });
  await site.verb('accept-history');
  await expect.poll(site.status, soon).toMatchObject({ revision: head() });
});

it('does not let the followed branch be deleted, and takes other branches as they come', async () => {
  expect(await site.git('push', bare, ':main').catch((error: Error) => error.message)).toMatch(
    /BRANCH_NEEDED|refusing to delete/,
  );
  expect(await site.git('push', bare, 'HEAD:refs/heads/draft')).toContain('only main is followed');
});

it('goes on when the pusher presses Ctrl+C', async () => {
  await writeFile(join(site.statePath, 'hold'), '');
  const revision = await site.commit({ 'images/tiny/initrd': 'third' });
  const pushing = spawn('git', ['-C', site.repository, 'push', bare, 'HEAD:main'], {
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  pushing.stderr.on('data', (chunk) => (said += chunk));
  const ended = new Promise((resolve) => pushing.once('close', resolve));
  await expect.poll(() => said, soon).toContain('building');
  process.kill(-(pushing.pid ?? 0), 'SIGINT');
  await ended;
  await rm(join(site.statePath, 'hold'));
  expect(head()).toBe(revision);
  await expect.poll(site.status, soon).toMatchObject({ revision, faults: [] });
});

it('refuses pushes when the program is gone, and says what to do', async () => {
  const path = join(bare, 'hooks', 'pre-receive');
  await writeFile(path, (await readFile(path, 'utf8')).replaceAll('cli/main.ts', 'cli/gone.ts'));
  await site.commit({ 'images/tiny/initrd': 'fourth' });
  expect(await push()).toContain('run "boottorrent repo init" again');
});
