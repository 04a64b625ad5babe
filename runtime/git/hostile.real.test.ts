import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { availableParallelism, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Revision } from '#bundle/digest.ts';
import { Fault } from '#bundle/fault.ts';
import { readDefinitions } from '#definition/definitions.ts';
import { revisionFiles } from '#definition/revision-files.ts';
import { readCommitSummary } from '../commit-summary.ts';
import { openMirror } from './mirror.ts';
import { parseRemote } from './remote.ts';
import { type Hostile, hostileRepositories } from './testdata/hostile-repositories.ts';
import { RawRepository } from './testdata/raw-repository.ts';

/** Ten seconds each; where more programs want the processors than there are, so many times longer. */
const patienceMs = 10_000 * Math.max(1, (loadavg()[0] ?? 0) / availableParallelism());
const limits = { askMs: patienceMs * 0.8, fetchMs: patienceMs * 0.8, fetchBytes: 16e6 };
let folder = '';

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bt-hostile-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Follows a repository as the runtime does, and reads what it says as the builder does. */
async function follow(
  path: string,
  { statePath, branch = 'main' }: { statePath: string; branch?: string | undefined },
): Promise<{ revision?: Revision; faults: readonly Fault[] }> {
  try {
    const remote = await parseRemote(path, join(folder, 'boot.config.yaml'));
    const place = { path: join(statePath, 'mirror.git'), remote, branch, environment: process.env, limits };
    const mirror = await openMirror(place);
    const revision = await mirror.update();
    await readCommitSummary(mirror.path, revision);
    const files = await revisionFiles(mirror.path, { revision });
    try {
      return { revision, faults: (await readDefinitions(files)).faults };
    } finally {
      await files.close();
    }
  } catch (error) {
    if (error instanceof Fault) return { faults: [error] };
    throw error;
  }
}

async function check({ name, make, refused, branch }: Hostile, index: number): Promise<void> {
  const home = join(folder, String(index));
  const statePath = join(home, 'state');
  mkdirSync(statePath, { recursive: true });
  const canary = join(home, 'executed');
  const repository = new RawRepository(join(home, 'repository.git'));
  const revision = make(repository, `touch ${canary}`);
  const startedMs = performance.now();
  const read = await follow(repository.path, { statePath, branch });
  const tookMs = performance.now() - startedMs;
  const codes = read.faults.map((fault) => fault.code);
  if (refused) expect(codes, name).toContainEqual(expect.toBeOneOf([...refused]));
  else expect({ name, codes, revision: read.revision }).toEqual({ name, codes: [], revision });
  expect(
    read.faults.filter(({ message, hint }) => message.length < 10 || !hint),
    name,
  ).toEqual([]);
  expect(existsSync(canary), `${name}: something was executed`).toBe(false);
  expect(readdirSync(home).toSorted(), name).toEqual(['repository.git', 'state']);
  expect(readdirSync(statePath).toSorted(), name).toEqual(['git.config', 'mirror.git']);
  expect(tookMs, name).toBeLessThan(patienceMs);
  await rm(home, { recursive: true });
}

// Every fourth; all of them in `npm run test:all`.
it('follows hostile repositories: nothing is executed, nothing written elsewhere, each fault is clear', async () => {
  expect(hostileRepositories.length).toBeGreaterThanOrEqual(40);
  const isWanted = (_: unknown, index: number) => process.env.BT_TEST === 'all' || index % 4 === 0;
  const failed: string[] = [];
  const queue = [...hostileRepositories.entries()].filter(isWanted);
  const work = async () => {
    for (let next = queue.shift(); next; next = queue.shift()) {
      await check(next[1], next[0]).catch((error: Error) => failed.push(`${next?.[1].name}: ${error.message}`));
    }
  };
  await Promise.all([work(), work()]);
  expect(failed).toEqual([]);
});
