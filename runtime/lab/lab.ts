import { setTimeout as sleep } from 'node:timers/promises';
import { formatReport } from '#bundle/boot-report.ts';
import { parseCatalog } from '#bundle/catalog.ts';
import { type Mac, parseSessionId } from '#bundle/digest.ts';
import { Fault } from '#bundle/fault.ts';
import { filesOf, parseManifest } from '#bundle/manifest.ts';
import { openStore } from '#store/local.ts';
import type { Status, StatusNode } from '../dashboard/view.ts';
import { askSocket } from '../http/ask-socket.ts';
import { controlSocketPath } from '../state-lock.ts';
import { kvmWorks } from './acceleration.ts';
import { directBoot } from './direct-boot.ts';
import { type LabPlace, takePlace } from './leftovers.ts';
import type { LabFirmware } from './machine.ts';
import { createNetwork, type LabNetwork, type LinkOptions } from './network.ts';
import { type LabNode, powerOn } from './node.ts';
import { labOverlay, statusSocket } from './overlay.ts';
import { routerAdvertisements } from './radvd.ts';
import { type RuntimeProcess, startRuntime } from './runtime-process.ts';
import { sessionOf } from './watch.ts';

export interface LabOptions {
  /** Path of `boot.config.yaml`. */
  readonly configPath: string;
  readonly statePath: string;
  /** The image of all nodes; absent: what the site's groups and menu say. */
  readonly image?: string;
  readonly lease?: string;
  readonly link?: LinkOptions;
}

export interface PowerOnOptions {
  /** `direct`: QEMU loads the bootstrap that the boot script names; such a node cannot be reset. */
  readonly firmware: LabFirmware | 'direct';
  readonly memoryMiB: number;
  /** 1, 2, …: says its MAC; no number twice in a lab. Default: one more than there are nodes. */
  readonly index?: number;
  /** Further arguments of QEMU. */
  readonly extra?: readonly string[];
}

/** A runtime and virtual machines in a network of their own. Close it, and nothing is left. */
export interface Lab {
  readonly statePath: string;
  readonly network: LabNetwork;
  readonly runtime: RuntimeProcess;
  readonly nodes: readonly LabNode[];
  status(): Promise<Status>;
  /** What the status says of a node; undefined until it was heard of. */
  statusOf(node: LabNode): Promise<StatusNode | undefined>;
  /** Ends the runtime by a signal and starts it anew on the same state. */
  restartRuntime(signal: NodeJS.Signals): Promise<void>;
  powerOn(options: PowerOnOptions): Promise<LabNode>;
  /** Tells the runtime that a node's OS runs, where the OS cannot say so itself but its console shows it. */
  reportUp(node: LabNode, startedMs: number): Promise<void>;
  close(): Promise<void>;
}

/** Takes the state directory, clears leftovers, makes the network and starts the runtime in it. */
export async function openLab(options: LabOptions): Promise<Lab> {
  const place = await takePlace(options.statePath);
  const stop = new AbortController();
  try {
    await createNetwork(place.network, options.link);
    const advertising = routerAdvertisements(place.network, place.statePath).run(stop.signal);
    const runtime = await startRuntime(runtimeOptions(options, place));
    return lab(options, { place, runtime, stop, advertising });
  } catch (error) {
    stop.abort();
    await place.release();
    throw error;
  }
}

interface Parts {
  readonly place: LabPlace;
  readonly runtime: RuntimeProcess;
  readonly stop: AbortController;
  readonly advertising: Promise<void>;
}

function lab(options: LabOptions, parts: Parts): Lab {
  const { place, stop, advertising } = parts;
  let { runtime } = parts;
  const nodes: LabNode[] = [];
  const socketPath = statusSocket(place.statePath);
  const status = async () => JSON.parse(await askSocket(socketPath, '/v1/status')) as Status;
  const statusOf = async (node: LabNode) => sessionOf(node, await status());
  return {
    statePath: place.statePath,
    network: place.network,
    get runtime() {
      return runtime;
    },
    nodes,
    status,
    statusOf,
    restartRuntime: async (signal) => {
      await runtime.stop(signal);
      runtime = await startRuntime(runtimeOptions(options, place));
    },
    powerOn: async ({ firmware, index = nodes.length + 1, ...machine }) => {
      const kvm = await canUseKvm(place.statePath);
      const { network, statePath } = place;
      const blobsPath = `${statePath}/store/blobs`;
      const start =
        firmware === 'direct'
          ? { firmware: 'bios' as const, direct: (mac: Mac) => directBoot(network, mac, blobsPath) }
          : { firmware };
      const node = await powerOn({ index, network, statePath, ...machine, ...start, kvm });
      nodes.push(node);
      return node;
    },
    reportUp: async (node, startedMs) => {
      const session = parseSessionId((await statusOf(node))?.session);
      const report = { session, mac: node.mac, phase: 'up', uptimeMs: Math.round(startedMs) } as const;
      await askSocket(`${place.statePath}/control.sock`, '/v1/report', { body: formatReport(report) });
    },
    close: async () => {
      stop.abort();
      await Promise.all(nodes.map((node) => node.powerOff()));
      await Promise.all([runtime.stop(), advertising]);
      await place.release();
    },
  };
}

function runtimeOptions(options: LabOptions, place: LabPlace) {
  const { network, statePath } = place;
  return { network, statePath, configPath: options.configPath, overlay: labOverlay({ ...options, ...place }) };
}

/** How long a fault that is not of the commit may last: reading the repository or the store may work the next time. */
const faultPatienceMs = 30_000;

/**
 * Waits until the runtime serves a commit, or the reason is known why it does not.
 * @param onStatus is called with each status on the way
 * @throws Fault `LAB_RUNTIME_ENDED`, `LAB_COMMIT_REFUSED` (the faults are in the message), or the signal's reason
 */
export async function waitReady(
  lab: Lab,
  options: { readonly revision: string; readonly signal: AbortSignal; readonly onStatus?: (status: Status) => void },
): Promise<Status> {
  let ended = false;
  let faultSinceMs = performance.now();
  void lab.runtime.ended.then(() => {
    ended = true;
  });
  for (;;) {
    options.signal.throwIfAborted();
    if (ended) throw new Fault('LAB_RUNTIME_ENDED', `The runtime ended: its log is ${lab.runtime.logPath}`);
    const status = await lab.status().catch(() => undefined);
    if (status) options.onStatus?.(status);
    if (status?.ready && status.revision === options.revision) return status;
    const fault = status?.faults[0];
    if (status?.refused && fault?.code === 'HISTORY_REWRITTEN') {
      await acceptHistory(lab);
      continue;
    }
    if (!fault || status?.building) faultSinceMs = performance.now();
    // A catalog of an older version of this program cannot be read until a new one is published.
    if (fault && (status?.refused || performance.now() - faultSinceMs > faultPatienceMs)) {
      const place = fault.file === undefined ? '' : `${fault.file}:${fault.line}:${fault.column}: `;
      const hint = fault.hint ?? `More stands in ${lab.runtime.logPath}`;
      throw new Fault('LAB_COMMIT_REFUSED', `Cannot serve this commit: ${place}${fault.message}`, { hint });
    }
    await sleep(300);
  }
}

/** The lab's state outlives the repositories that it shows, and an amended commit is what one tries in it. */
async function acceptHistory({ statePath }: Lab): Promise<void> {
  // What was refused may be gone in the same moment: the next round sees.
  await askSocket(controlSocketPath(statePath), '/v1/accept-history', { body: '{}' }).catch(() => undefined);
  await sleep(300);
}

/** The bootstrap's own kernel and initramfs are what KVM is tried with. */
async function canUseKvm(statePath: string): Promise<boolean> {
  const store = await openStore(`${statePath}/store`);
  const published = await store.readPublished();
  if (!published) return false;
  const catalog = parseCatalog((await store.readBlob(published.catalog, 2 ** 21)).toString());
  const release = catalog.bootstraps[0];
  if (!release) return false;
  const manifest = parseManifest((await store.readBlob(release.manifest.digest, 2 ** 20)).toString());
  const path = (role: 'kernel' | 'initrd') =>
    store.blobPath(filesOf(manifest, role)[0]?.sha256 ?? release.manifest.digest);
  return kvmWorks({ kernel: path('kernel'), initrd: path('initrd') }, `${statePath}/acceleration.json`);
}
