import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { StatusNode } from '../dashboard/view.ts';
import { bootDiskText, diskArguments, makeBootDisk } from './boot-disk.ts';
import { type Lab, openLab, waitReady } from './lab.ts';
import { nodeMac } from './machine.ts';
import { makeTestSite, type TestSite } from './test-site.ts';
import { until, untilNode } from './until.ts';

/**
 * The node: every way to start an image but those of the whole path's test (switch-root, kexec of a foreign kernel), the
 * menu on a serial line, and clocks that are wrong. One lab for all. Most nodes skip the firmware.
 * The state is kept between runs, so that a second run finds everything built.
 */
const statePath = fileURLToPath(new URL('../../.boottorrent-test', import.meta.url));
const direct = { firmware: 'direct', memoryMiB: 768 } as const;
const isWhole = process.env.BT_TEST === 'all';

/** QEMU's clock at power-on. A run of `npm test` takes one of them, by the day. */
const clocks = ['1970-01-01T00:00:10', '2000-01-01T00:00:00', dayBefore(), yearsAhead(1), yearsAhead(30)] as const;
const clock = clocks[Math.floor(Date.now() / 86_400_000) % clocks.length];

/** Which node gets which image, by the order in which they are switched on. */
const fixed: Readonly<Record<string, readonly number[]>> = {
  probe: [1, 7, 8, 9, 10, 11],
  memtest: [2],
  'debian-kexec': [3],
  'memtest-chain': [4],
};
const memtestText = 'Memtest86+ v';
const menuText = 'Type to search';

let site: TestSite;
let lab: Lab;

beforeAll(async () => {
  site = makeTestSite();
  site.write('boot.config.yaml', withGroups);
  site.write('images/probe/image.yaml', probe);
  const revision = site.commit('site: the node');
  lab = await openLab({ configPath: site.configPath, statePath });
  await waitReady(lab, { revision, signal: AbortSignal.timeout(540_000) });
});

afterAll(async () => {
  await lab?.close();
  site?.remove();
});

it(`exec: argument, environment, exit status and time reach the target; the node's own clock says ${clock}`, async () => {
  await expectProbe(await probeAt(clock ?? ''));
});

it('qemu: a virtual machine with a system that is not Linux', async () => {
  const node = await lab.powerOn({ ...direct, memoryMiB: 1024 });
  const seen = await untilNode(lab, node, () => node.console.has(memtestText));
  expect(seen).toMatchObject({ image: 'memtest', phase: 'up' });
  await node.powerOff();
});

it('kexec of an image from Debian packages: its own kernel, and its heartbeat', async () => {
  const node = await lab.powerOn({ ...direct, memoryMiB: 1280 });
  const seen = await untilNode(lab, node, ({ phase }) => phase === 'up');
  expect(seen.image).toBe('debian-kexec');
  expect(seen.phases.map(({ name }) => name)).toContain('executing');
  await node.powerOff();
});

it('chain: the boot script of a group starts another network boot program', async () => {
  const node = await lab.powerOn({ firmware: 'bios', memoryMiB: 512 });
  await until(
    async () => node.console,
    (console) => console.has(memtestText),
  );
  await node.powerOff();
});

it('menu on the serial line: arrows, search, Enter; local is carried out by the next boot script, once', async () => {
  const disk = join(statePath, 'disk.img');
  await makeBootDisk(disk);
  const node = await lab.powerOn({ firmware: 'bios', memoryMiB: 768, extra: diskArguments(disk) });
  await shows(node.console, menuText);
  await untilNode(lab, node, ({ phase }) => phase === 'menu');
  node.console.type('disk of');
  await shows(node.console, 'Search: disk of');
  node.console.type('\r');
  await shows(node.console, bootDiskText);
  rmSync(disk);
  await node.powerOff();
});

it('menu: typed letters choose another image than the default', async () => {
  const node = await lab.powerOn(direct);
  await shows(node.console, menuText);
  node.console.type('\x1b[B\x1b[A');
  node.console.type('probe\r');
  const seen = await untilNode(lab, node, ({ phase }) => phase === 'ended');
  expect(seen.image).toBe('probe');
  await node.powerOff();
});

describe.runIf(isWhole)('the other clocks', () => {
  it.each(clocks.filter((one) => one !== clock))('%s', async (time) => {
    await expectProbe(await probeAt(time));
  });
});

/** Ends with 3, after it has said what reached it. */
const probe = `title: Probe of the tests
arch: amd64
method: exec
exec:
  command: [/bin/sh, -c, 'printf "PROBE <%s> <%s> time=%s END\\\\n" "$1" "$VALUE" "$(date -u +%s)"; exit 3', sh, 'a "b" \\c $d']
  environment: { VALUE: "x 'y' \\"z\\" \\\\ $HOME=" }
  then: stay
  modules: none
source: { debian: { suite: trixie, packages: [] } }
memory: 32M
`;

async function probeAt(time: string): Promise<{ readonly seen: StatusNode; readonly text: string }> {
  const node = await lab.powerOn({ ...direct, extra: ['-rtc', `base=${time}`] });
  const seen = await untilNode(lab, node, ({ phase }) => phase === 'ended');
  const text = node.console.tail(200);
  await node.powerOff();
  return { seen, text };
}

async function expectProbe({ seen, text }: { readonly seen: StatusNode; readonly text: string }): Promise<void> {
  const said = /PROBE <(.*)> <(.*)> time=([0-9]+) END/.exec(text);
  expect(said?.[1]).toBe('a "b" \\c $d');
  expect(said?.[2]).toBe(`x 'y' "z" \\ $HOME=`);
  const secondsOff = Math.abs(Number(said?.[3]) - Date.now() / 1000);
  expect(secondsOff).toBeLessThan(30);
  expect(seen).toMatchObject({ image: 'probe', exitStatus: 3 });
  expect(seen.output).toContain('PROBE');
  for (const { startedAtMs } of seen.phases) expect(Math.abs(Date.now() - startedAtMs)).toBeLessThan(300_000);
}

async function shows(console: { has(text: string): boolean }, text: string): Promise<void> {
  await until(
    async () => console.has(text),
    (isThere) => isThere,
    120_000,
  );
}

function withGroups(config: string): string {
  const groups = Object.entries(fixed).map(([image, indexes]) => {
    const macs = indexes.map((index) => JSON.stringify(nodeMac(index))).join(', ');
    return `  - { name: test-${image}, match: { mac: [${macs}] }, image: ${image} }\n`;
  });
  const menu = config.replace(/^menu:.*$/m, 'menu: { default: debian, timeout: -1, shell: true }');
  return menu.replace(/^groups:\s*\n/m, `groups:\n${groups.join('')}`);
}

function dayBefore(): string {
  return new Date(Date.now() - 86_400_000).toISOString().slice(0, 19);
}

function yearsAhead(years: number): string {
  return new Date(Date.now() + years * 365.25 * 86_400_000).toISOString().slice(0, 19);
}
