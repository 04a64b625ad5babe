import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Lie } from './hostile-server.ts';
import { type Lab, openLab, waitReady } from './lab.ts';
import { type Liar, openLiar } from './liar.ts';
import { nodeMac } from './machine.ts';
import type { LabNode } from './node.ts';
import { shows } from './shows.ts';
import { makeTestSite, type TestSite } from './test-site.ts';
import { untilNode } from './until.ts';

/**
 * A node in trouble, for `npm run test:all`: the runtime is gone, or what answers lies. It says why, tries again, and
 * comes up when the trouble is over.
 */
const statePath = fileURLToPath(new URL('../../.boottorrent-test', import.meta.url));
const direct = { firmware: 'direct', memoryMiB: 768 } as const;
const awayMs = 10_000;

/** Where the runtime is killed, and what the node's console says of it. */
const moments = [
  { at: 'ticket', index: 1, reason: '[SERVER_UNREACHABLE]' },
  { at: 'download', index: 2, reason: 'the server did not take the report of download' },
  { at: 'verify', index: 3, reason: 'the server did not take the report of verify-files' },
  { at: 'load', index: 4, reason: 'the server did not take the report of load' },
] as const;
const deceived = 5;

describe.runIf(process.env.BT_TEST === 'all')('a node in trouble', () => {
  let site: TestSite;
  let lab: Lab;
  let liar: Liar;
  let revision: string;

  beforeAll(async () => {
    site = makeTestSite();
    site.write('boot.config.yaml', withGroups);
    revision = site.commit('site: trouble');
    lab = await openLab({ configPath: site.configPath, statePath });
    await waitReady(lab, { revision, signal: AbortSignal.timeout(540_000) });
    liar = openLiar(lab);
  });

  afterEach(async () => {
    for (const node of lab.nodes) await node.powerOff();
  });

  afterAll(async () => {
    liar?.close();
    await lab?.close();
    site?.remove();
  });

  it.each(moments)('the runtime is killed at $at: the node says so, and comes up when it is back', async (moment) => {
    const { at, index, reason } = moment;
    const prompt = `(${at}) # `;
    const node = await lab.powerOn({ ...direct, index });
    await shows(node, prompt);
    await lab.runtime.stop('SIGKILL');
    node.console.type('exit\n');
    await shows(node, reason);
    await sleep(awayMs);
    await lab.restartRuntime('SIGTERM');
    await waitReady(lab, { revision, signal: AbortSignal.timeout(60_000) });
    // It begins again, and so it stops again.
    if (at === 'ticket') await goOn(node, prompt);
    const seen = await untilNode(lab, node, ({ phase }) => phase === 'ended');
    expect(seen).toMatchObject({ image: 'hardware-report', exitStatus: 0 });
    expect(seen.output).toContain('hardware-report: done');
  });

  it('hostile answers: each has its own fault on console and server, and with the truth the same node boots', async () => {
    const node = await lab.powerOn({ ...direct, index: deceived });
    await shows(node, '(ticket) # ');
    await liar.standBefore(node);
    const lies: readonly (readonly [Lie, string, RegExp])[] = [
      ['torrent-outside', 'TORRENT_INVALID', /path must have one segment/],
      ['endless-ticket', 'RESPONSE_TOO_LARGE', /the answer is too large/],
      ['cut-file', 'DOWNLOAD_FAILED', /neither by the swarm nor by HTTP/],
      ['endless-file', 'DOWNLOAD_FAILED', /the answer is longer than the file/],
    ];
    for (const [lie, code, message] of lies) {
      liar.tell(lie);
      const stops = count(node, '(ticket) # ');
      node.console.type('exit\n');
      const seen = await untilNode(lab, node, ({ fault }) => fault !== undefined && message.test(fault.message));
      expect(seen.fault?.code).toBe(code);
      expect(node.console.tail(100)).toContain(`[${code}]`);
      expect(node.console.has('hardware-report: done')).toBe(false);
      await shows(node, '(ticket) # ', { times: stops + 1 });
    }
    liar.tell('none');
    node.console.type('exit\n');
    expect(await untilNode(lab, node, ({ phase }) => phase === 'ended')).toMatchObject({ exitStatus: 0 });
  });
});

/** Leaves a shell that was opened for the second time. */
async function goOn(node: LabNode, prompt: string): Promise<void> {
  await shows(node, prompt, { times: 2 });
  node.console.type('exit\n');
}

function count(node: LabNode, text: string): number {
  return node.console.tail(2000).split(text).length - 1;
}

function withGroups(config: string): string {
  const line = (index: number, at: string) =>
    `  - { name: test-${index}, match: { mac: [${JSON.stringify(nodeMac(index))}] }, image: hardware-report, cmdline: "bt.break=${at}" }\n`;
  const lines = [...moments.map(({ index, at }) => line(index, at)), line(deceived, 'ticket')];
  return config.replace(/^groups:\s*\n/m, `groups:\n${lines.join('')}`);
}
