import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Fault } from '#bundle/fault.ts';
import type { Status } from '../dashboard/view.ts';
import { diskArguments, makeBootDisk } from './boot-disk.ts';
import { forwardStatus } from './forward.ts';
import { type Lab, openLab, waitReady } from './lab.ts';
import type { LabFirmware } from './machine.ts';
import { statusSocket } from './overlay.ts';
import { runCommand } from './run-command.ts';
import type { Terminal } from './terminal.ts';
import { liveLines, news, summary, type Told } from './timeline.ts';
import { allUp, type Expectations, isUp, reportConsoles, sessionOf, timelineNodes } from './watch.ts';

export interface ShowOptions {
  readonly configPath: string;
  readonly statePath: string;
  readonly nodes: number;
  readonly firmware: LabFirmware;
  readonly memoryMiB: number;
  readonly image?: string;
  readonly serverMbit?: number;
  readonly statusPort: number;
  /** End when all nodes are up. */
  readonly once: boolean;
  /** With `once`: how long the nodes may take after the catalog is served. */
  readonly limitMs: number;
  readonly expectations: Expectations;
}

/**
 * The lab as a person sees it: brings it up, shows each node's timeline, and stays until `signal` aborts.
 * @throws Fault `LAB_TIMEOUT` with `once`, and those of {@link openLab} and {@link waitReady}
 */
export async function showLab(options: ShowOptions, terminal: Terminal, signal: AbortSignal): Promise<void> {
  const { image, serverMbit } = options;
  const lab = await openLab({
    ...{ configPath: options.configPath, statePath: options.statePath },
    ...(image !== undefined && { image }),
    ...(serverMbit !== undefined && { link: { serverMbit } }),
  });
  const stop = new AbortController();
  const forwarding = forwardStatus({ port: options.statusPort, socketPath: statusSocket(options.statePath) });
  const forward = forwarding.run(stop.signal);
  // A port that is taken ends the lab; it is awaited at the end, too.
  forward.catch(() => stop.abort());
  try {
    const both = AbortSignal.any([signal, stop.signal]);
    await bringUp(lab, options, { terminal, signal: both });
    await follow(lab, options, { terminal, signal: both });
  } catch (error) {
    if (!signal.aborted && !stop.signal.aborted) throw error;
  } finally {
    terminal.live([]);
    terminal.print('Cleaning up ...');
    await lab.close();
    stop.abort();
    await forward;
  }
}

interface Watching {
  readonly terminal: Terminal;
  readonly signal: AbortSignal;
}

async function bringUp(lab: Lab, options: ShowOptions, { terminal, signal }: Watching): Promise<void> {
  const startedMs = performance.now();
  const url = `http://127.0.0.1:${options.statusPort}/`;
  terminal.print(
    `Lab of ${options.nodes} nodes (${options.firmware}), status page ${url}`,
    `Log: ${lab.runtime.logPath}`,
  );
  const ready = await waitReady(lab, {
    revision: (await runCommand(['git', '-C', dirname(options.configPath), 'rev-parse', 'HEAD'])).trim(),
    signal,
    onStatus: (status) => terminal.live([buildingLine(status, performance.now() - startedMs)]),
  });
  terminal.live([]);
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
  terminal.print(`Serving commit ${ready.revision?.slice(0, 12)}, catalog ${ready.serial}, after ${seconds} s`);
  for (const image of ready.images)
    terminal.print(`  ${image.name}@${image.version}  ${image.title} (${image.method})`);
  for (let index = 0; index < options.nodes; index++) {
    // A machine that is told to boot its local disk must have one.
    const disk = join(options.statePath, `disk${index + 1}.img`);
    await makeBootDisk(disk);
    const { firmware, memoryMiB } = options;
    const node = await lab.powerOn({ firmware, memoryMiB, extra: diskArguments(disk) });
    terminal.print(`${node.name}  switched on, ${node.mac}, console: ${node.console.path}`);
  }
}

async function follow(lab: Lab, options: ShowOptions, { terminal, signal }: Watching): Promise<void> {
  const deadlineMs = performance.now() + options.limitMs;
  let told: Told = {};
  let done = false;
  let revision: string | undefined;
  for (;;) {
    signal.throwIfAborted();
    const status = await lab.status();
    await reportConsoles(lab, status, options.expectations);
    const nodes = timelineNodes(lab.nodes, status);
    const fresh = news(told, nodes);
    told = fresh.told;
    if (fresh.lines.length > 0) terminal.print(...fresh.lines);
    terminal.live(liveLines(nodes, status.nowMs));
    if (revision !== undefined && status.revision !== revision) terminal.print(...swapLines(status));
    revision = status.revision;
    if (!done && allUp(lab.nodes, status, options.expectations)) {
      done = true;
      terminal.print('', ...summary(nodes), '');
      if (options.once) return;
      terminal.print(...hints(options));
    }
    if (!done && options.once && performance.now() > deadlineMs) throw timeout(lab, status, options);
    await sleep(500);
  }
}

function buildingLine(status: Status, elapsedMs: number): string {
  const { building } = status;
  const what = building ? `building, ${building.done} of ${building.total}: ${building.name}` : 'starting';
  return `${(elapsedMs / 1000).toFixed(0).padStart(4)} s  ${what}`;
}

function swapLines(status: Status): string[] {
  const images = status.images.map((image) => `${image.name}@${image.version}`).join(', ');
  return [`Now serving commit ${status.revision?.slice(0, 12)}: ${images}`];
}

function hints(options: ShowOptions): string[] {
  return [
    `All nodes are up. Status page: http://127.0.0.1:${options.statusPort}/`,
    'What to try next, in another terminal:',
    '  edit an image:    $EDITOR images/debian/image.yaml && git commit -am "images: try"',
    '  reboot a node:    npx boottorrent lab reset node1      (it comes up with the new version)',
    '  revert:           git revert --no-edit HEAD            (the old version again, nothing is built)',
    'Ctrl+C ends the lab and leaves nothing behind.',
  ];
}

function timeout(lab: Lab, status: Status, options: ShowOptions): Fault {
  const late = lab.nodes.filter((node) => !isUp(node, sessionOf(node, status), options.expectations));
  const reasons = late.map((node) => {
    const seen = sessionOf(node, status);
    return `${node.name} is in phase ${seen?.phase ?? 'none'}${seen?.fault ? ` (${seen.fault.message})` : ''}`;
  });
  const hint = `Their consoles: ${late.map((node) => node.console.path).join(', ')}`;
  return new Fault('LAB_TIMEOUT', `Cannot bring all nodes up in time: ${reasons.join('; ')}`, { hint });
}
