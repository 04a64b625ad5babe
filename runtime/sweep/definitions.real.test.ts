import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { Fault } from '#bundle/fault.ts';
import { dice } from '#bundle/testdata/mutate.ts';
import { type Mutation, mutations, rich } from '#definition/testdata/mutations.ts';
import { digestOf } from '#store/digest.ts';
import { openStore } from '#store/local.ts';
import { findPlace, openDefinitions } from '../cli/builder.ts';
import { makeSmallSite } from './small-site.ts';

/**
 * Every broken definition as a commit of a real repository, given to the builder: refused with a place, and what is
 * published is not touched. All of them with BT_TEST=all, else a sample; the last few by the builder's own process.
 */
const isAll = process.env.BT_TEST === 'all';
const seed = Number(process.env.BT_SEED ?? 1);
const random = dice(seed);
const every = mutations();
const chosen = isAll ? every : Array.from({ length: 40 }, () => every[Math.floor(random() * every.length)] as Mutation);
const byProcess = chosen.slice(0, isAll ? 40 : 4);

const site = makeSmallSite();
site.run('publish');
afterAll(() => site.remove());
const revisions = importCommits(chosen);

/** Without a work tree: what is in these commits is nothing to be checked out. */
function importCommits(all: readonly Mutation[]): readonly string[] {
  const commands = all.map((one, index) => {
    const files = Object.entries({ ...rich, ...one.changes }).map(([path, text]) => {
      const bytes = Buffer.from(text ?? '/etc/passwd');
      const mode = text === null ? '120000' : '100644';
      return text === undefined ? '' : `M ${mode} inline ${JSON.stringify(path)}\ndata ${bytes.length}\n${bytes}\n`;
    });
    const head = `commit refs/heads/broken-${index}\ncommitter t <t@example.org> 1767225600 +0000\ndata 1\nx\n`;
    return `${head}${files.join('')}\n`;
  });
  const options = { input: commands.join('') };
  execFileSync('git', ['-C', site.repository, 'fast-import', '--quiet'], options);
  return all.map((_, index) => site.git('rev-parse', `broken-${index}`));
}

async function served(): Promise<readonly string[]> {
  const store = await openStore(site.storePath);
  const published = readFileSync(join(site.storePath, 'published'), 'utf8');
  const { catalog, signature } = (await store.readPublished()) ?? {};
  const blobs = [catalog, signature].map((digest) => readFileSync(store.blobPath(digest as never)));
  return [published, ...blobs.map((bytes) => digestOf(bytes))];
}

test(`${chosen.length} broken commits are refused, each with a place, and the catalog stays (seed ${seed})`, async () => {
  const before = await served();
  const place = await findPlace({ config: join(site.repository, 'boot.config.yaml'), state: site.statePath });
  const flags = { config: '', repository: site.repository, worktree: false };
  for (const [index, one] of chosen.entries()) {
    const opening = openDefinitions(place, { ...flags, revision: revisions[index] ?? '' });
    const fault = await opening.then(
      () => undefined,
      (error: unknown) => error,
    );
    expect(fault, one.title).toMatchObject({ code: 'DEFINITIONS_INVALID', hint: expect.any(String) });
    const { errors } = (fault as Fault).cause as AggregateError;
    const places = errors.map((error) => error instanceof Fault && error.hint && error.location?.file);
    expect(places, one.title).toContain(one.file);
  }
  expect(await served()).toEqual(before);
});

test('the builder tells them by file:line:column and a hint, and ends with status 2', async () => {
  const before = await served();
  for (const [index, one] of byProcess.entries()) {
    const [program = '', ...argv] = site.builder('publish');
    const options = { encoding: 'utf8' } as const;
    const { status, stderr } = spawnSync(program, [...argv, '--revision', revisions[index] ?? ''], options);
    const lines = stderr.split('\n');
    const at = lines.findIndex((line) => line.startsWith(`${one.file}:`) && /:\d+:\d+: .+ \[[A-Z_]+\]$/.test(line));
    expect({ status, title: one.title, isTold: at >= 0, hint: lines[at + 1] }).toEqual({
      ...{ status: 2, title: one.title, isTold: true, hint: expect.stringMatching(/^ {2}\S/) },
    });
  }
  expect(await served()).toEqual(before);
});
