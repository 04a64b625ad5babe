import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type LiveSite, openLiveSite, siteFiles, siteText } from '../testdata/live-site.ts';

const soon = { timeout: 60_000, interval: 50 };
let site: LiveSite;
const secret = '0123456789abcdef';
const config = (more = '') => siteText(`git: { poll: 1h, webhook: { secretFile: .git/secret }${more} }\n`);
const tryStatus = () => site.status().catch(() => undefined);
const served = (revision: string) => expect.poll(tryStatus, soon).toMatchObject({ revision, faults: [] });

beforeAll(async () => {
  site = await openLiveSite();
  await site.commit({ ...siteFiles, 'boot.config.yaml': config() });
  await writeFile(join(site.repository, '.git', 'secret'), `${secret}\n`);
  site.start();
});
afterAll(() => site.close());

// One runtime, in the order of its life.
let first = '';
let second = '';
let rewritten = '';

it('refuses a rewritten history, and goes on serving', async () => {
  first = await site.git('rev-parse', 'HEAD');
  await served(first);
  second = await site.commit({ 'images/tiny/initrd': 'second' });
  await served(second);
  await site.git('commit', '-q', '--amend', '-m', 'another past');
  rewritten = await site.git('rev-parse', 'HEAD');
  await expect.poll(tryStatus, soon).toMatchObject({ refused: { kind: 'stalled', revision: rewritten } });
  const { revision, ready, faults } = await site.status();
  expect({ revision, ready, faults }).toMatchObject({
    ...{ revision: second, ready: true },
    faults: [{ code: 'HISTORY_REWRITTEN', hint: expect.stringContaining('accept-history') }],
  });
  expect((await site.verb('history')).said).toContain('HISTORY_REWRITTEN');
});

it('accept-history names another revision: nothing is accepted', async () => {
  const { status, said } = await site.verb('accept-history', 'deadbeef');
  expect({ status, said }).toMatchObject({ status: 2, said: expect.stringContaining(rewritten) });
});

it('accept-history publishes it, with a higher serial', async () => {
  const before = await site.status();
  expect(await site.verb('accept-history', rewritten.slice(0, 8))).toMatchObject({ status: 0 });
  await served(rewritten);
  expect((await site.status()).serial).toBeGreaterThan(before.serial ?? 0);
});

it('is accepted once: the same commit pushed over a later one is refused again', async () => {
  const third = await site.commit({ 'images/tiny/initrd': 'third' });
  await served(third);
  await site.git('reset', '-q', '--hard', rewritten);
  await expect.poll(tryStatus, soon).toMatchObject({ refused: { revision: rewritten }, revision: third });
  await site.git('reset', '-q', '--hard', third);
  await expect.poll(async () => (await tryStatus())?.refused, soon).toBeUndefined();
  expect((await site.verb('accept-history')).said).toContain('HISTORY_NOT_REFUSED');
});

it('suspend holds publishing also over a kill, and resume publishes only the newest', async () => {
  const before = await site.status();
  expect(await site.verb('suspend')).toMatchObject({ status: 0 });
  const between = await site.commit({ 'images/tiny/initrd': 'between' });
  await site.end('SIGKILL');
  site.start();
  await expect.poll(tryStatus, soon).toMatchObject({ ready: true, suspendedSince: expect.any(String) });
  const newest = await site.commit({ 'images/tiny/initrd': 'newest' });
  await site.verb('poke');
  expect(await site.status()).toMatchObject({ revision: before.revision, serial: before.serial });
  expect((await site.verb('status')).said).toContain('publishing is held');
  await site.verb('resume');
  await served(newest);
  expect((await site.verb('history', '--json')).said).not.toContain(between);
});

it('suspend: true of a commit holds it back, with its place', async () => {
  const before = await site.status();
  const held = await site.commit({ 'boot.config.yaml': `${config()}suspend: true\n` });
  await expect.poll(tryStatus, soon).toMatchObject({ refused: { revision: held } });
  expect(await site.status()).toMatchObject({
    revision: before.revision,
    faults: [{ code: 'SUSPENDED', file: 'boot.config.yaml', line: 8, column: 10 }],
  });
  await served(await site.commit({ 'boot.config.yaml': config() }));
});

it('takes a webhook of a forge that knows the secret, at the address for people and not at that for nodes', async () => {
  const post = (url: string, token: string) =>
    site.inside(
      'curl',
      '-s',
      '-o',
      '/dev/null',
      '-w',
      '%{http_code}',
      '-d',
      '{}',
      '-H',
      `X-Gitlab-Token: ${token}`,
      url,
    );
  expect(await post('http://127.0.0.1:8470/hooks/git', secret)).toBe('202');
  expect(await post('http://127.0.0.1:8470/hooks/git', 'another one, wrong')).toBe('401');
  expect(await post('http://10.88.0.1:8480/hooks/git', secret)).toBe('404');
});

it('refuses a commit that is not signed, once the file on the disk asks for it', async () => {
  const before = await site.status();
  await writeFile(join(site.repository, 'signers'), '');
  const unsigned = await site.commit({ 'boot.config.yaml': config(', verify: head, allowedSigners: signers') });
  await expect.poll(tryStatus, soon).toMatchObject({ refused: { revision: unsigned } });
  expect(await site.status()).toMatchObject({
    revision: before.revision,
    faults: [{ code: 'COMMIT_SIGNATURE_REFUSED', message: expect.stringContaining('it is not signed') }],
  });
});
