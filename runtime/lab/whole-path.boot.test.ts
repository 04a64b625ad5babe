import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Status, StatusNode } from '../dashboard/view.ts';
import type { Lie } from './hostile-server.ts';
import { type Lab, openLab, waitReady } from './lab.ts';
import { type Liar, openLiar } from './liar.ts';
import { nodeMac } from './machine.ts';
import { openLink } from './network.ts';
import type { LabNode } from './node.ts';
import { makeTestSite, type TestSite } from './test-site.ts';
import { until } from './until.ts';
import { reportConsoles, sessionOf } from './watch.ts';

/**
 * The whole path, once: commit → bundle → nodes, and back. One lab for all tests, in order: two BIOS nodes and a kexec
 * node boot first; then one of them is upgraded and brought back while others join.
 * The state is kept between runs, so that a second run finds bootstrap and packages built.
 */
const statePath = fileURLToPath(new URL('../../.boottorrent-test', import.meta.url));
const bios = { firmware: 'bios', memoryMiB: 1024 } as const;
/** The console text of the Debian installer, as its definition says it. */
const installerText = 'Starting system log daemon';
const installerMac = nodeMac(3);

let site: TestSite;
let lab: Lab;
let first: Status;
let liar: Liar | undefined;

beforeAll(async () => {
  site = makeTestSite();
  site.write('images/debian/overlay/etc/systemd/system/identity.service', identityUnit);
  site.write(
    'images/debian/overlay/etc/systemd/system/multi-user.target.d/identity.conf',
    '[Unit]\nWants=identity.service\n',
  );
  site.write('images/debian/overlay/etc/issue.release', 'one\n');
  site.write('boot.config.yaml', (before) => withGroup(before));
  const revision = site.commit('site: one');
  // Slow enough for nodes to meet in the swarm although emulated machines start seconds apart: what is downloaded
  // before aria2's first unchoke round, 10 s, can come from nobody but the origin.
  lab = await openLab({ configPath: site.configPath, statePath, link: { serverMbit: 40 } });
  first = await waitReady(lab, { revision, signal: AbortSignal.timeout(540_000) });
});

afterAll(async () => {
  liar?.close();
  await lab?.close();
  site?.remove();
});

it('(a) two BIOS nodes boot debian, share it, and are not the same machine', async () => {
  const nodes = [await lab.powerOn(bios), await lab.powerOn(bios)];
  const [one, two] = await Promise.all(nodes.map((node) => untilPhase(node, 'up')));
  const modules = first.bootstraps.filter(({ name }) => name.startsWith('modules'));
  expect(modules.map(({ name }) => name)).toEqual(['modules', 'modules-extra']);
  const copyBytes = modules.reduce((sum, part) => sum + part.sizeBytes, imageOf(first)?.sizeBytes ?? 0);
  expect(copyBytes).toBeGreaterThan(100e6);
  expect((one?.bytes.origin ?? 0) + (two?.bytes.origin ?? 0)).toBeLessThanOrEqual(1.5 * copyBytes);
  for (const node of [one, two]) expect(node?.bytes.peers ?? 0).toBeGreaterThanOrEqual(0.2 * copyBytes);
  const [left, right] = nodes.map(identity);
  for (const key of ['machine-id', 'hostname', 'hostkey'] as const) {
    expect(left?.[key]).toMatch(/.{4}/);
    expect(left?.[key]).not.toBe(right?.[key]);
  }
  await nodes[1]?.powerOff();
  await openLink(lab.network);
});

it('(b) the kexec image comes up: its console prints what only it prints', async () => {
  const node = await lab.powerOn(bios);
  const expectations = new Map([['debian-installer', installerText]]);
  const up = await untilPhase(node, 'up', { onStatus: (status) => reportConsoles(lab, status, expectations) });
  expect(up.image).toBe('debian-installer');
  expect(node.console.has(installerText)).toBe(true);
  await node.powerOff();
});

it('(c) a commit and a reboot upgrade a node; (g) a UEFI node boots', async () => {
  site.write('images/debian/overlay/etc/issue.release', 'two\n');
  const revision = site.commit('site: two');
  const served = await untilServed(revision);
  expect(versionOf(served)).not.toBe(versionOf(first));
  const node = lab.nodes[0] as LabNode;
  await node.reset();
  const uefi = await lab.powerOn({ firmware: 'uefi', memoryMiB: 1024 });
  const [upgraded, onUefi] = await Promise.all([untilPhase(node, 'up'), untilPhase(uefi, 'up')]);
  expect(upgraded.version).toBe(versionOf(served));
  expect(identity(node).release).toBe('two');
  expect(onUefi.version).toBe(versionOf(served));
  await uefi.powerOff();
});

it('(d) a revert and a reboot bring the old version back, with the old infohash and no build', async () => {
  const builds = buildLines();
  const revision = site.revert();
  const served = await untilServed(revision);
  expect(imageOf(served)?.infoHash).toBe(imageOf(first)?.infoHash);
  expect(served.serial ?? 0).toBeGreaterThan(first.serial ?? 0);
  expect(buildLines()).toBe(builds);
  const node = lab.nodes[0] as LabNode;
  await node.reset();
  expect((await untilPhase(node, 'up')).version).toBe(versionOf(first));
  expect(identity(node).release).toBe('one');
});

it('(e) a broken commit changes nothing, and its fault is shown with its line', async () => {
  const before = await lab.status();
  site.write('images/debian/image.yaml', (text) => `${text.trimEnd()}\ncmdlin: "x"\n`);
  site.commit('site: broken');
  const line = readFileSync(join(site.path, 'images/debian/image.yaml'), 'utf8').split('\n').indexOf('cmdlin: "x"') + 1;
  const after = await until(
    () => lab.status(),
    (status) => status.faults.length > 0,
  );
  expect(after.faults[0]).toMatchObject({ file: 'images/debian/image.yaml', line });
  expect(after.faults[0]?.message).toContain('cmdlin');
  expect({ serial: after.serial, images: after.images }).toEqual({ serial: before.serial, images: before.images });
  expect(after.ready).toBe(true);
  site.revert();
});

it('(f) what did not verify is not started: each lie has its own code, and the truth boots', async () => {
  liar = openLiar(lab);
  const node = await switchOnBehindLiar();
  const lies: readonly (readonly [Lie, string])[] = [
    ['catalog-byte', 'BUNDLE_SIGNATURE_INVALID'],
    ['foreign-key', 'BUNDLE_KEY_UNKNOWN'],
    ['manifest-byte', 'MANIFEST_DIGEST_MISMATCH'],
    ['file-and-torrent', 'TORRENT_DIGEST_MISMATCH'],
  ];
  for (const [lie, code] of lies) {
    liar.tell(lie);
    await until(
      () => lab.statusOf(node),
      (seen) => seen?.fault?.code === code,
    );
    expect(node.console.has('release=')).toBe(false);
  }
  liar.tell('none');
  await untilPhase(node, 'up');
  expect(identity(node).release).toBe('one');
});

const identityUnit = `[Unit]
After=ssh.service
Before=boottorrent-node.service
[Service]
Type=oneshot
ExecStart=/bin/bash -c 'echo "IDENTITY machine-id=$$(cat /etc/machine-id) hostname=$$(hostname) \\
hostkey=$$(cut -d" " -f2 /etc/ssh/ssh_host_ed25519_key.pub) release=$$(cat /etc/issue.release) END" >/dev/kmsg'
`;

function withGroup(config: string): string {
  const group = `  - { name: test-installer, match: { mac: ["${installerMac}"] }, image: debian-installer }\n`;
  return /^groups:\s*$/m.test(config)
    ? config.replace(/^groups:\s*\n/m, `groups:\n${group}`)
    : `${config.replace(/^groups:.*\n/m, '')}\ngroups:\n${group}`;
}

function identity(node: LabNode): Readonly<Record<'machine-id' | 'hostname' | 'hostkey' | 'release', string>> {
  const text = node.console.tail(1000).replaceAll('\n', '');
  const found = /IDENTITY machine-id=(\S*) hostname=(\S*) +hostkey=(\S*) release=(\S*) END/.exec(text);
  return {
    'machine-id': found?.[1] ?? '',
    hostname: found?.[2] ?? '',
    hostkey: found?.[3] ?? '',
    release: found?.[4] ?? '',
  };
}

function imageOf(status: Status) {
  return status.images.find((image) => image.name === 'debian');
}

function versionOf(status: Status): string {
  return imageOf(status)?.version ?? '';
}

/** How often an image was built, as the runtime's log tells it. */
function buildLines(): number {
  return readFileSync(lab.runtime.logPath, 'utf8').split('"kind":"progress"').length;
}

/** The liar passes on what iPXE asks for, and changes only what the agent gets. */
async function switchOnBehindLiar(): Promise<LabNode> {
  const node = await lab.powerOn(bios);
  await liar?.standBefore(node);
  return node;
}

async function untilPhase(
  node: LabNode,
  phase: string,
  options: { readonly onStatus?: (status: Status) => Promise<void> } = {},
): Promise<StatusNode> {
  const seen = await until(
    async () => {
      const status = await lab.status();
      await options.onStatus?.(status);
      return sessionOf(node, status);
    },
    (one) => one?.phase === phase,
  );
  return seen as StatusNode;
}

function untilServed(revision: string): Promise<Status> {
  return until(
    () => lab.status(),
    (status) => status.revision === revision,
  );
}
