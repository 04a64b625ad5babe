import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { openStorm, type Storm, type StormOptions } from './swarm-storm.ts';
import type { StormNodeSettings } from './swarm-storm-node.ts';

const budgetMs = 30_000;
let storm: Storm | undefined;
let count = 0;

async function open(options: Omit<StormOptions, 'id'>): Promise<Storm> {
  count += 1;
  storm = await openStorm({ id: `${count}${process.pid % 100_000}`.slice(0, 6), ...options });
  return storm;
}

afterEach(async () => {
  await storm?.remove();
  storm = undefined;
});

/** Switches on `nodes` machines, one after the other, and waits until all have their image, checked. */
async function bootAll(
  room: Storm,
  nodes: number,
  { everyMs = 0, ...more }: Partial<StormNodeSettings> & { everyMs?: number } = {},
) {
  const beforeBytes = await room.serverSentBytes();
  const results = await Promise.all(
    Array.from({ length: nodes }, async (_, node) => {
      await sleep(node * everyMs);
      return room.boot(node, more);
    }),
  );
  const copies = ((await room.serverSentBytes()) - beforeBytes) / room.imageBytes;
  const longestStayMs = Math.max(...results.map((result) => result.seedMs));
  return { results, copies, longestStayMs };
}

const small = { imageBytes: 16e6, serverMbit: 40 } as const;
const room = { nodes: 8, imageBytes: 16e6, serverMbit: 40 } as const;
const staggered = { everyMs: 1200, bootMs: 2500 } as const;

describe('a room of nodes that leave', () => {
  it('takes at most 1.5 copies from the server, and no node stays beyond the budget', async () => {
    const { copies, longestStayMs } = await bootAll(await open(room), 8, staggered);
    expect(copies).toBeLessThan(1.5);
    expect(longestStayMs).toBeLessThan(budgetMs + 2000);
  });

  it.runIf(process.env.BT_TEST === 'all')('takes more where nobody stays for the others', async () => {
    const { copies } = await bootAll(await open(room), 8, { ...staggered, seedBudgetMs: 0 });
    expect(copies).toBeGreaterThan(1.5);
  });

  it.runIf(process.env.BT_TEST === 'all')('stays no longer than the budget for one that never finishes', async () => {
    const slow = await open({ nodes: 2, imageBytes: 8e6, serverMbit: 40, seedBudget: '5s' });
    const first = slow.boot(0);
    const second = slow.boot(1, { bootMs: 600_000 }).catch(() => undefined);
    const { seedMs } = await first;
    expect(seedMs).toBeGreaterThan(4900);
    expect(seedMs).toBeLessThan(7000);
    await slow.remove();
    await second;
  });
});

/** @param percent of the first node's download, at which the tracker dies */
async function bootWithoutTracker(percent: number): Promise<void> {
  const site = await open({ ...small, nodes: 3 });
  if (percent === 0) await site.killTracker();
  const booting = bootAll(site, 3);
  if (percent > 0) {
    await site.untilPercent(0, percent);
    await site.killTracker();
  }
  const { results } = await booting;
  expect(results.every((result) => result.isBySwarm)).toBe(true);
}

describe('the ladder', () => {
  it('all nodes finish when the tracker is killed at 50 per cent', () => bootWithoutTracker(50));
});

describe.runIf(process.env.BT_TEST === 'all')('the ladder, whatever breaks', () => {
  it.each([0, 10, 90])('all nodes finish when the tracker is killed at %i per cent', bootWithoutTracker);

  it('goes on where it was when the runtime is killed and started again', async () => {
    const site = await open({ ...small, nodes: 3 });
    const booting = bootAll(site, 3);
    await site.untilPercent(0, 40);
    await site.killRuntime();
    await sleep(2000);
    await site.startRuntime();
    const { copies } = await booting;
    expect(copies).toBeLessThan(3);
  });

  it('all nodes finish when the peer port is blocked on half of them', async () => {
    const site = await open({ ...small, nodes: 4 });
    for (const node of [0, 1]) await site.blockPeerPorts(node);
    const { results } = await bootAll(site, 4);
    expect(results).toHaveLength(4);
    for (const node of [0, 1]) {
      expect(site.console(node)).toContain('web seed');
      const { http, origin } = await site.sourceBytes(node);
      expect(origin).toBe(0);
      expect(http).toBeGreaterThan(site.imageBytes * 0.95);
    }
    const shared = await site.sourceBytes(2);
    expect(shared.origin + shared.peers).toBeGreaterThan(site.imageBytes * 0.95);
    expect(shared.http).toBe(0);
  });

  it('goes on when the cable was pulled for a minute', async () => {
    const site = await open({ ...small, nodes: 2 });
    const booting = bootAll(site, 2);
    await site.untilPercent(0, 30);
    await site.setCable(0, 'down');
    await sleep(60_000);
    await site.setCable(0, 'up');
    const pluggedMs = performance.now();
    await booting;
    expect(performance.now() - pluggedMs).toBeLessThan(40_000);
  });
});
