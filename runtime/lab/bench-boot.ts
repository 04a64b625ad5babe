import { readFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { type BenchCase, type BootTimes, benchTable } from './bench-table.ts';
import { readExpectations } from './expectations.ts';
import { type Lab, openLab, waitReady } from './lab.ts';
import { nodeMac } from './machine.ts';
import type { LabNode } from './node.ts';
import { makeTestSite, type TestSite } from './test-site.ts';
import { type Expectations, isUp, reportConsoles, sessionOf } from './watch.ts';

/**
 * `npm run bench:boot`: boots one virtual machine after the other, per method and firmware, and prints what that took; then what
 * memory the agent has used. `--runs 3`, `--only debian`, `--firmware uefi`, `--state <directory of the lab>`.
 */
const flags = parseArgs({
  options: {
    runs: { type: 'string', default: '3' },
    only: { type: 'string' },
    firmware: { type: 'string' },
    state: { type: 'string', default: fileURLToPath(new URL('../../.boottorrent-lab', import.meta.url)) },
  },
}).values;

/** An image for each way to start one. */
const images: Readonly<Record<string, string>> = {
  debian: 'switch-root',
  'debian-kexec': 'kexec',
  'debian-installer': 'kexec',
  'hardware-report': 'exec',
  memtest: 'qemu',
};
const memoryMiB = 1280;
const limitMs = 300_000;

const cases: readonly (BenchCase & { readonly firmware: 'bios' | 'uefi' })[] = Object.entries(images)
  .filter(([image]) => flags.only === undefined || flags.only === image)
  .flatMap(([image, method]) => (['bios', 'uefi'] as const).map((firmware) => ({ image, method, firmware })))
  .filter(({ firmware }) => flags.firmware === undefined || flags.firmware === firmware);
/** The n-th machine of the lab boots the n-th of these. */
const boots = Array.from({ length: Number(flags.runs) }, () => cases).flat();

const site = makeTestSite();
try {
  await bench();
} finally {
  site.remove();
}

async function bench(): Promise<void> {
  if (boots.length === 0) throw new RangeError(`--only knows ${Object.keys(images).join(', ')}`);
  site.write('boot.config.yaml', (before) => before.replace(/^groups:\n(\s+.*\n)*/m, groups()));
  const revision = site.commit('bench: a group for each boot');
  const expectations = await readExpectations(site.path);
  const lab = await openLab({ configPath: site.configPath, statePath: flags.state });
  try {
    await waitReady(lab, { revision, signal: AbortSignal.timeout(900_000) });
    const results = new Map<BenchCase, BootTimes[]>(cases.map((one) => [one, []]));
    for (const [index, one] of boots.entries()) {
      const said = `${index + 1}/${boots.length}  ${one.image} ${one.firmware}:`;
      try {
        const times = await bootOnce(lab, one.firmware, expectations);
        results.get(one)?.push(times);
        const [agent, up] = [times.agentSeconds.toFixed(1), times.upSeconds.toFixed(1)];
        process.stderr.write(`${said} agent ${agent} s, target ${up} s\n`);
      } catch (error) {
        // The others are worth knowing all the same.
        process.exitCode = 1;
        process.stderr.write(`${said} ${error instanceof Error ? error.message : error}\n`);
      }
    }
    process.stdout.write(`${await machineLine()}\n\n${benchTable(results)}\n\n`);
    const kilobytes = await agentKilobytes(lab, site);
    process.stdout.write(`agent: at most ${kilobytes} kB of RAM, without the swarm client\n`);
  } finally {
    await lab.close();
  }
}

/** The machine after the last of the boots is the one that is stopped to look at the agent. */
function groups(): string {
  const booted = [...boots.map(({ image }) => image), 'debian'];
  const lines = Object.keys(images).map((image) => {
    const macs = booted.flatMap((one, index) => (one === image ? [`"${nodeMac(index + 1)}"`] : []));
    return macs.length > 0
      ? `  - { name: bench-${image}, match: { mac: [${macs.join(', ')}] }, image: ${image} }\n`
      : '';
  });
  return `groups:\n${lines.join('')}`;
}

async function bootOnce(lab: Lab, firmware: 'bios' | 'uefi', expectations: Expectations): Promise<BootTimes> {
  const node = await lab.powerOn({ firmware, memoryMiB });
  try {
    const signal = AbortSignal.timeout(limitMs);
    await node.console.waitFor('s  network  ', signal);
    const agentSeconds = secondsOf(node);
    await untilUp(lab, { node, expectations, signal });
    return { agentSeconds, upSeconds: secondsOf(node) };
  } finally {
    await node.powerOff();
  }
}

async function untilUp(
  lab: Lab,
  { node, expectations, signal }: { node: LabNode; expectations: Expectations; signal: AbortSignal },
): Promise<void> {
  for (;;) {
    const status = await lab.status();
    await reportConsoles(lab, status, expectations);
    const seen = sessionOf(node, status);
    if (isUp(node, seen, expectations)) return;
    if (signal.aborted || seen?.fault) {
      throw new Error(
        `${node.name} did not come up (${seen?.phase}): ${seen?.fault?.message ?? node.console.tail(20)}`,
      );
    }
    await sleep(100);
  }
}

function secondsOf(node: LabNode): number {
  return (Date.now() - node.startedAtMs) / 1000;
}

/** What times are worth depends on it. */
async function machineLine(): Promise<string> {
  const verdict = await readFile(join(flags.state, 'acceleration.json'), 'utf8').catch(() => '{}');
  const { kvm = false } = JSON.parse(verdict) as { readonly kvm?: boolean };
  const [first] = cpus();
  const machine = `${cpus().length} cores ${first?.model.trim()}, nodes with 1 core and ${memoryMiB} MiB`;
  return `${machine}, ${kvm ? 'KVM' : 'emulated (no KVM)'}`;
}

/** The most that the agent has used when it has downloaded and verified everything: asked on its console. */
async function agentKilobytes(lab: Lab, site: TestSite): Promise<string> {
  site.write('boot.config.yaml', (before) => before.replace(/^(bootstrap:.*cmdline: ")/m, '$1bt.break=load '));
  await waitReady(lab, { revision: site.commit('bench: stop'), signal: AbortSignal.timeout(900_000) });
  const node = await lab.powerOn({ firmware: 'direct', memoryMiB });
  const signal = AbortSignal.timeout(limitMs);
  await node.console.waitFor('(load) #', signal);
  node.console.type('grep VmHWM /proc/$(pidof qjs)/status\n');
  await node.console.waitFor('VmHWM:', signal);
  await sleep(500);
  await node.powerOff();
  return /VmHWM:\s+([0-9]+) kB/.exec(node.console.tail(50))?.[1] ?? 'unknown';
}
