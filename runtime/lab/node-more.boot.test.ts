import { chmodSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { NodeAnswer } from '../dashboard/view.ts';
import { askSocket } from '../http/ask-socket.ts';
import { type Lab, openLab, waitReady } from './lab.ts';
import { writeLargeImages } from './large-images.ts';
import { nodeMac } from './machine.ts';
import { inside, limitLink, openLink } from './network.ts';
import type { LabNode } from './node.ts';
import { statusSocket } from './overlay.ts';
import { runCommand } from './run-command.ts';
import { shows } from './shows.ts';
import { makeTestSite, type TestSite } from './test-site.ts';
import { until, untilNode } from './until.ts';

/**
 * More of the node, for `npm run test:all`: command lines, memory, breakpoints, the menu's shell, UEFI, and what is
 * told of a node that is gone. One lab for all; each test has a node of its own.
 */
const statePath = fileURLToPath(new URL('../../.boottorrent-test', import.meta.url));
const direct = { firmware: 'direct', memoryMiB: 768 } as const;
const [kexec, large, tooLarge, broken, killed, menu, uefi, uefiGuest] = [1, 2, 3, 4, 5, 6, 7, 8] as const;
const [off, again, failing, screen] = [9, 10, 11, 12] as const;
const breakpoints = ['net', 'ticket', 'download', 'verify', 'load', 'execute'] as const;

const groups: readonly (readonly [number, string, string?])[] = [
  [kexec, 'debian-installer'],
  [large, 'large'],
  [tooLarge, 'too-large'],
  [broken, 'hardware-report', `bt.break=${breakpoints.join(',')}`],
  [killed, 'large'],
  [uefi, 'hardware-report'],
  [uefiGuest, 'memtest-uefi'],
  [off, 'report-off'],
  [again, 'report-again'],
  [failing, 'report-failing'],
  [screen, 'memtest-vga'],
];

/** Every character that some shell, boot loader or parser treats in its own way. */
const cmdline = `console=ttyS0 TERM=linux a="b  c" d='e f' $HOME $(reboot) \`x\` \\back\\\\slash k=v=w %41 * ~ #hash;semi&amp|pipe "end"`;

describe.runIf(process.env.BT_TEST === 'all')('the node', () => {
  let site: TestSite;
  let lab: Lab;

  beforeAll(async () => {
    site = makeTestSite();
    site.write('images/memtest-uefi/image.yaml', memtestUefi);
    site.write('images/memtest-vga/image.yaml', memtestVga);
    writeReport(site, 'report-off', (text) => text.replace('then: stay', 'then: poweroff'));
    writeReport(site, 'report-again', (text) => text.replace('then: stay', 'then: reboot'));
    writeReport(site, 'report-failing', (text) => text);
    site.write('images/debian-installer/image.yaml', (text) =>
      text.replace(/^cmdline: .*$/m, () => `cmdline: ${JSON.stringify(cmdline)}`),
    );
    const first = site.commit('site: without large images');
    lab = await openLab({ configPath: site.configPath, statePath });
    await waitReady(lab, { revision: first, signal: AbortSignal.timeout(540_000) });
    await writeLargeImages(site, statePath);
    site.write('boot.config.yaml', withGroups);
    const revision = site.commit('site: more of the node');
    await waitReady(lab, { revision, signal: AbortSignal.timeout(540_000) });
  }, 900_000);

  afterEach(async () => {
    for (const node of lab.nodes) await node.powerOff();
  });

  afterAll(async () => {
    await lab?.close();
    site?.remove();
  });

  it('kexec: the command line arrives byte for byte', async () => {
    const node = await lab.powerOn({ ...direct, index: kexec });
    await shows(node, 'Kernel command line: console=ttyS0 TERM=linux');
    const line = /Kernel command line: (console=ttyS0 TERM=linux.*)$/m.exec(node.console.tail(2000));
    expect(line?.[1]).toBe(cmdline);
  });

  it('switch-root: a root of 300 MB comes up with 512 MB of RAM', async () => {
    const node = await lab.powerOn({ firmware: 'direct', memoryMiB: 512, index: large });
    const seen = await untilNode(lab, node, ({ phase }) => phase === 'up' || phase === 'failed');
    expect(seen).toMatchObject({ image: 'large', phase: 'up' });
    expect(seen.bytes.origin).toBeGreaterThan(295e6);
  });

  it('an image that needs more RAM than there is: refused with figures, before a byte of it is sent', async () => {
    const node = await lab.powerOn({ ...direct, index: tooLarge });
    const seen = await untilNode(lab, node, ({ phase }) => phase === 'failed');
    expect(seen.fault?.code).toBe('MEMORY_INSUFFICIENT');
    expect(seen.fault?.message).toMatch(
      /too-large: it needs 65[0-9]{3} MiB of memory, [0-9]+ of this machine's 7[0-9]{2} MiB are free, 6[0-9]{4} are missing/,
    );
    expect(seen.bytes).toEqual({ origin: 0, peers: 0, http: 0 });
    expect(node.console.tail(100)).toContain('[MEMORY_INSUFFICIENT]');
    await shows(node, 'trying again in');
    const { failedLog } = await answerOf(node);
    expect(failedLog).toMatchObject({ session: seen.session, code: 'MEMORY_INSUFFICIENT' });
    expect(failedLog?.log).toContain('this node boots too-large@');
  });

  it('breakpoints: each stops with a hint and a shell, and exit goes on to the end', async () => {
    const node = await lab.powerOn({ ...direct, index: broken });
    for (const name of breakpoints) {
      await shows(node, `(${name}) # `);
      expect(node.console.tail(30)).toContain('(exit goes on)');
      node.console.type(`echo "at $((6 * 7)) ${name}"\n`);
      await shows(node, `at 42 ${name}`);
      node.console.type('exit\n');
      await shows(node, `${name}: going on`);
    }
    const seen = await untilNode(lab, node, ({ phase }) => phase === 'ended');
    expect(seen).toMatchObject({ image: 'hardware-report', exitStatus: 0, result: 'ended' });
  });

  it('a node that is killed in mid-download is shown as stalled in it, within 10 s', async () => {
    await limitLink(lab.network, 40);
    const node = await lab.powerOn({ ...direct, index: killed });
    await untilNode(lab, node, ({ phase, percent = 0 }) => phase === 'download' && percent > 5);
    await node.powerOff();
    const seen = await untilNode(lab, node, ({ result }) => result === 'stalled', 10_000);
    await openLink(lab.network);
    expect(seen.phase).toBe('download');
    expect(seen.stalledSinceMs).toBeGreaterThan(node.startedAtMs);
    expect(seen.phases.at(-1)).toMatchObject({ name: 'download', result: 'stalled' });
    expect(seen.percent).toBeLessThan(100);
  });

  it('menu: Escape gives a shell, exit goes back, and the menu still works', async () => {
    const node = await lab.powerOn({ ...direct, index: menu });
    await shows(node, 'Type to search');
    node.console.type('\x1b');
    await shows(node, 'exit goes back to the menu');
    await shows(node, '# ');
    node.console.type('echo "shell $((6 * 7))"\n');
    await shows(node, 'shell 42');
    node.console.type('exit\n');
    await shows(node, 'Type to search', { times: 2 });
    node.console.type('report on');
    await shows(node, 'Search: report on');
    node.console.type('\r');
    const seen = await untilNode(lab, node, ({ phase }) => phase === 'ended');
    expect(seen.image).toBe('hardware-report');
  });

  it('exec: the node goes off, or starts anew, when the program has ended', async () => {
    const node = await lab.powerOn({ ...direct, index: off });
    await node.ended;
    expect(await lab.statusOf(node)).toMatchObject({ image: 'report-off', phase: 'ended', exitStatus: 0 });
    const other = await lab.powerOn({ firmware: 'bios', memoryMiB: 768, index: again });
    const { session } = await untilNode(lab, other, ({ phase }) => phase === 'ended');
    const seen = await untilNode(lab, other, (one) => one.session !== session && one.phase === 'ended');
    expect(seen).toMatchObject({ image: 'report-again', exitStatus: 0 });
    expect((await answerOf(other)).earlier[0]).toMatchObject({ session, result: 'ended' });
  });

  it('a release that fails three times on a node: it gets the one that came up there, and the status says so', async () => {
    const node = await lab.powerOn({ firmware: 'bios', memoryMiB: 768, index: failing });
    const good = await untilNode(lab, node, ({ phase }) => phase === 'ended');
    writeReport(site, 'report-failing', (text) => text.replace('hardware-report, --pci', 'no-such-program'));
    const revision = site.commit('site: a release that fails');
    await waitReady(lab, { revision, signal: AbortSignal.timeout(120_000) });
    for (let boot = 1; boot <= 3; boot++) {
      await node.reset();
      const seen = await untilNode(lab, node, ({ phase }) => phase === 'failed');
      expect(seen.fault?.code).toBe('IMAGE_INVALID');
    }
    await node.reset();
    const seen = await untilNode(lab, node, ({ phase }) => phase === 'ended');
    expect(seen.version).toBe(good.version);
    expect(seen.fallback).toMatchObject({ image: 'report-failing', to: good.version, failedBoots: 3 });
  });

  it('exec on a UEFI node', async () => {
    const node = await lab.powerOn({ firmware: 'uefi', memoryMiB: 768, index: uefi });
    const seen = await untilNode(lab, node, ({ phase }) => phase === 'ended');
    expect(seen).toMatchObject({ image: 'hardware-report', exitStatus: 0 });
    expect(seen.firmware).toContain('uefi');
  });

  it('qemu: a virtual machine with UEFI firmware', async () => {
    const node = await lab.powerOn({ ...direct, memoryMiB: 1024, index: uefiGuest });
    await shows(node, 'Memtest86+ v', { limitMs: 380_000 });
    // The same file starts by BIOS as well: this is how edk2's terminal driver, and nothing else, begins a screen.
    expect(readFileSync(node.console.path, 'latin1')).toContain('\x1b[=3h');
    expect(await lab.statusOf(node)).toMatchObject({ image: 'memtest-uefi', phase: 'up' });
  });

  it('qemu: the screen of a virtual machine is reachable by VNC', async () => {
    const node = await lab.powerOn({ ...direct, memoryMiB: 1024, index: screen });
    const { address } = await untilNode(lab, node, ({ phase }) => phase === 'up');
    // RFC 6143 §7.1, 7.3: version, security type 1 (none), shared; the answer ends in the screen's width and height.
    const talk = `exec 3<>/dev/tcp/${address}/5900; printf 'RFB 003.008\\n\\001\\001' >&3; head -c 22 <&3 | od -An -v -tx1`;
    const say = () => runCommand(inside(lab.network.server, ['bash', '-c', talk])).catch(() => '');
    const said = (await until(say, (text) => text.length > 40)).replace(/\s/g, '');
    expect(said.slice(0, 24)).toBe(Buffer.from('RFB 003.008\n').toString('hex'));
    expect(Number.parseInt(said.slice(36, 40), 16)).toBeGreaterThanOrEqual(640);
    expect(Number.parseInt(said.slice(40, 44), 16)).toBeGreaterThanOrEqual(350);
  });

  async function answerOf(node: LabNode): Promise<NodeAnswer> {
    return JSON.parse(await askSocket(statusSocket(lab.statePath), `/v1/nodes/${node.mac}`)) as NodeAnswer;
  }
});

/** A copy of the hardware report under another name. */
function writeReport(site: TestSite, name: string, change: (text: string) => string): void {
  const text = readFileSync(`${site.path}/images/hardware-report/image.yaml`, 'utf8');
  site.write(`images/${name}/image.yaml`, change(text).replace(/^title: .*$/m, `title: ${name}`));
  const program = 'overlay/usr/local/bin/hardware-report';
  site.write(`images/${name}/${program}`, readFileSync(`${site.path}/images/hardware-report/${program}`, 'utf8'));
  chmodSync(`${site.path}/images/${name}/${program}`, 0o755);
}

const memtestUefi = `title: Memtest86+ in a virtual machine with UEFI
arch: amd64
method: qemu
qemu:
  firmware: uefi
  memory: 256M
  network: none
  arguments: [-kernel, memtest86+x64.efi, -append, "console=ttyS0,115200"]
source:
  files:
    file: { package: memtest86+, suite: trixie, path: boot/memtest86+x64.efi }
`;

const memtestVga = memtestUefi
  .replace('with UEFI', 'with a screen')
  .replace('firmware: uefi', 'firmware: bios\n  display: vga')
  .replace(', -append, "console=ttyS0,115200"', '')
  .replace('memtest86+x64.efi]', 'memtest86+x64.bin]')
  .replace('boot/memtest86+x64.efi', 'boot/memtest86+x64.bin');

function withGroups(config: string): string {
  const lines = groups.map(([index, image, extra]) => {
    const about = `name: test-${index}, match: { mac: [${JSON.stringify(nodeMac(index))}] }, image: ${image}`;
    return `  - { ${about}${extra === undefined ? '' : `, cmdline: ${JSON.stringify(extra)}`} }\n`;
  });
  const withMenu = config.replace(/^menu:.*$/m, 'menu: { default: debian, timeout: -1, shell: true }');
  return withMenu.replace(/^groups:\s*\n/m, `groups:\n${lines.join('')}`);
}
