import { randomBytes } from 'node:crypto';
import { dirname, join, resolve } from 'node:path';
import type { BootReport } from '#bundle/boot-report.ts';
import { parseSessionId } from '#bundle/digest.ts';
import type { Fault } from '#bundle/fault.ts';
import type { PublicKey } from '#bundle/signature.ts';
import { loadSite } from '#definition/load-site.ts';
import type { Site } from '#definition/site.ts';
import { loadOverlay, type SiteOverlay } from '#definition/site-overlay.ts';
import { openStore } from '#store/local.ts';
import type { Store } from '#store/store.ts';
import type { BootEvent } from './boot/event.ts';
import { bootAnswers } from './boot-answers.ts';
import { type Changes, openChanges } from './changes.ts';
import { type Component, runAll } from './component.ts';
import { parseIpv4 } from './dhcp/address.ts';
import { openDhcpServer } from './dhcp/server.ts';
import { type Mirror, openMirror } from './git/mirror.ts';
import { parseRemote, type Remote } from './git/remote.ts';
import { watchRepository } from './git/watch.ts';
import { type BootAnswers, bootListener } from './http/boot-listener.ts';
import { listener, parseListenAddress } from './http/listen.ts';
import { type StatusAnswers, statusListener } from './http/status-listener.ts';
import type { Log } from './log.ts';
import { type Metrics, openMetrics } from './metrics.ts';
import { type NodeTable, openNodeTable } from './node-table.ts';
import { publishInChild } from './publish-child.ts';
import { blobsOf } from './reconcile/desired.ts';
import { type Follower, openFollower } from './reconcile/follow.ts';
import { loadMenu } from './reconcile/load.ts';
import { openReconciler, type Reconciler } from './reconcile/loop.ts';
import { seedEffects } from './seed-effects.ts';
import { openServing, type Serving } from './serving.ts';
import { folderIn, readCommitSite } from './site-settings.ts';
import { type InterfaceAddress, interfaceAddress } from './sockets/interface.ts';
import { openBootSockets } from './sockets/open.ts';
import { controlSocketPath, lockState } from './state-lock.ts';
import { controlAnswers, statusAnswers } from './status-answers.ts';
import { Seeder } from './swarm/seeder.ts';
import { openSwarmNeeds } from './swarm-needs.ts';
import { tftpServer } from './tftp/server.ts';
import { tftpFileOf } from './tftp-files.ts';
import { createTracker } from './tracker/http.ts';
import { trustedKeys } from './trusted-keys.ts';

export interface RuntimeOptions {
  /** Path of `boot.config.yaml`. */
  readonly configPath: string;
  readonly statePath: string;
  /** Default: what the site says, relative to its file. */
  readonly storePath?: string;
  /** Path of a JSON file laid over the site, of the disk and of every commit. */
  readonly overlayPath?: string;
  /** What the builder is started with: program, script. A verb and its options are appended. */
  readonly builder: readonly string[];
  /** Options that every verb of the builder gets: the site and the state. */
  readonly builderOptions: readonly string[];
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly pid: number;
  readonly log: Log;
}

/**
 * The whole runtime: follows the repository, serves nodes and people, until `signal` aborts.
 * @throws Fault `STATE_LOCKED`, `CONFIG_INVALID`, `DEFINITIONS_INVALID`, `INTERFACE_UNKNOWN`, `INTERFACE_NOT_BOUND`, and those of
 * parts that cannot go on
 */
export async function runRuntime(options: RuntimeOptions, signal: AbortSignal): Promise<void> {
  const { log, statePath, pid } = options;
  const lock = await lockState(statePath, pid);
  try {
    const here = await openHere(options, signal);
    const components = await compose(here);
    log.info({ pid, site: here.site.site, interface: here.site.network.interface, ...here.address }, 'runtime starts');
    await runAll(components, signal);
    log.info({ pid }, 'runtime ended');
  } finally {
    await lock.release();
  }
}

/** What this machine brings: the site on its disk, its address, its store and keys. */
interface Here {
  readonly options: RuntimeOptions;
  readonly site: Site;
  readonly overlay: SiteOverlay | undefined;
  readonly address: InterfaceAddress;
  readonly store: Store;
  readonly keys: readonly PublicKey[];
  readonly remote: Remote;
  readonly mirror: Mirror;
}

async function openHere(options: RuntimeOptions, signal: AbortSignal): Promise<Here> {
  const { configPath, statePath, environment, log } = options;
  const overlay = await loadOverlay(options.overlayPath);
  const site = await loadSite(configPath, overlay);
  const address = await interfaceAddress(site.network.interface, site.network.address);
  const store = await openStore(options.storePath ?? resolve(dirname(configPath), site.store.path));
  const keygen = [...options.builder, 'keygen', ...options.builderOptions];
  const keys = await trustedKeys(site.trust.publicKeys, { statePath, keygen, log });
  const remote = await parseRemote(site.git.remote, configPath);
  const branch = site.git.branch === undefined ? {} : { branch: site.git.branch };
  const mirror = await openMirror({ path: join(statePath, 'mirror.git'), remote, ...branch, environment, signal });
  return { options, site, overlay, address, store, keys, remote, mirror };
}

const now = () => Date.now();
const random = () => Math.random();

async function compose(here: Here): Promise<readonly Component[]> {
  const { options, address } = here;
  const { log } = options;
  const changes = openChanges();
  const metrics = openMetrics();
  const menu = () => serving.current().menu;
  const table = openNodeTable({
    ...{ path: join(options.statePath, 'nodes.db'), menu, older: (catalog) => reconciler.older(catalog), now, log },
    newSession: () => parseSessionId(randomBytes(16).toString('hex')),
    onEvent(event) {
      metrics.count(event);
      changes.tell();
    },
    onSilence: changes.tell,
  });
  const { nodes, take } = table;
  const emit = (event: BootEvent) => void take(event);
  const seeder = new Seeder({ host: address.address, log, emit, nowMs: now, random, isNode: (at) => !!nodes.at(at) });
  const tracker = createTracker({
    origin: () => ({ address: address.address, port: seeder.port }),
    admits: (session, from) => [undefined, from].includes(nodes.of(session)?.address) && !!nodes.of(session),
    ...{ emit, random },
  });
  const serving = openServingOf(here, seeder);
  const reconciler = openReconcilerOf(here, { serving, seeder, tracker, table });
  const follower = openFollowerOf(here, { reconciler, onChange: changes.tell });
  const watching = openWatching(here, { follower, onTrouble: changes.tell });
  const parts = { metrics, changes, table, tracker, serving, reconciler, follower, watching };
  const sockets = await openSockets(here, { serving, emit, table });
  // What was published before is served from the first packet on.
  await reconciler.once();
  const answering = listeners(here, { ...parts, sockets });
  return [...sockets.components, seeder, ...answering, table, reconciler, follower, watching.component];
}

/** What the parts know of each other. */
interface Parts {
  readonly metrics: Metrics;
  readonly changes: Changes;
  readonly table: NodeTable;
  readonly tracker: ReturnType<typeof createTracker>;
  readonly serving: Serving;
  readonly reconciler: Reconciler;
  readonly follower: Follower;
  readonly watching: Watching;
  readonly sockets: Sockets;
}

/** What nodes ask for. */
function answersForNodes({ store }: Here, parts: Parts): BootAnswers {
  const { table, tracker, serving, reconciler, follower } = parts;
  const menu = () => serving.current().menu;
  return bootAnswers({
    ...{ offers: table.offers, take: table.take, tracker, now, conditions: follower.conditions },
    needs: openSwarmNeeds({ sessions: table.nodes.list, menu, now }),
    server: () => serving.current().server,
    blobsPath: join(store.path, 'blobs'),
    blobPath: (digest) => (blobsOf(reconciler.observed()).has(digest) ? store.blobPath(digest) : undefined),
  });
}

/** What people and scrapers ask for. */
function answersForPeople({ site }: Here, parts: Parts): StatusAnswers {
  const { table, metrics, changes, serving, reconciler, follower, watching, sockets } = parts;
  return statusAnswers({
    ...{ site: site.site, table, changes, metrics, served: serving.current, conditions: follower.conditions },
    ...{ reconciler, gitTrouble: watching.trouble, dhcpIgnored: sockets.ignored, now },
  });
}

/** Three of them: for nodes, for people, and for administration on this machine. */
function listeners(here: Here, parts: Parts): readonly Component[] {
  const { options, site, address, store } = here;
  const boot = { kind: 'tcp', host: address.address, port: site.network.http.port } as const;
  const socket = { kind: 'unix', path: controlSocketPath(options.statePath), mode: 0o600 } as const;
  const blobsPath = join(store.path, 'blobs');
  const status = answersForPeople(here, parts);
  const take = (report: BootReport) => void parts.table.take({ kind: 'report', atMs: now(), address: '', report });
  const onBusy = ({ code, message }: Fault, from: string) => options.log.warn({ code, address: from }, message);
  return [
    listener('boot-http', bootListener({ answers: answersForNodes(here, parts), blobsPath, onBusy }), boot),
    listener('status-http', statusListener(status), parseListenAddress(site.network.status)),
    listener('control', statusListener(controlAnswers(status, take)), socket),
  ];
}

interface Watching {
  readonly component: Component;
  readonly trouble: () => Fault | undefined;
}

/** Offers each new revision to the follower, and remembers why the repository cannot be read. */
function openWatching(
  { options, site, mirror, remote }: Here,
  { follower, onTrouble }: { readonly follower: Follower; readonly onTrouble: () => void },
): Watching {
  let trouble: Fault | undefined;
  const component = watchRepository({
    ...{ mirror, pollMs: site.git.pollMs, log: options.log, random },
    ...(remote.local && { local: remote.local }),
    onRevision: (revision) => {
      trouble = undefined;
      follower.offer(revision);
    },
    onFault: (fault) => {
      trouble = fault;
      onTrouble();
    },
  });
  return { component, trouble: () => trouble };
}

function openServingOf({ options, site, overlay, address, mirror, remote }: Here, seeder: Seeder): Serving {
  const folder = remote.local ? folderIn(remote.address, options.configPath) : '';
  const place = { repository: mirror.path, folder };
  return openServing({
    ...{ site, log: options.log, originPort: () => seeder.port },
    subnet: { address: parseIpv4(address.address), netmask: parseIpv4(address.netmask) },
    readCommitSite: (revision) => readCommitSite(place, revision, overlay),
  });
}

function openReconcilerOf(
  { options, site, store, keys }: Here,
  parts: Pick<Parts, 'serving' | 'tracker' | 'table'> & { readonly seeder: Seeder },
): Reconciler {
  const { serving, seeder, tracker, table } = parts;
  const inUse = () => table.nodes.namedBundles(now());
  return openReconciler({
    readPublished: store.readPublished,
    load: (published) => loadMenu({ store, site: site.site, keys }, published),
    olderReleases: () => table.offers.fallbacks().map(({ to }) => to),
    observable: { seeding: () => seeder.seeding(), inUse },
    effects: seedEffects({ store, seeder, tracker }),
    onMenu: serving.swap,
    log: options.log,
  });
}

function openFollowerOf(here: Here, parts: { reconciler: Reconciler; onChange: () => void }): Follower {
  const { options, mirror, remote } = here;
  const folder = remote.local ? folderIn(remote.address, options.configPath) : '';
  const place = ['--repository', mirror.path, '--directory', folder];
  const argv = [...options.builder, 'publish', ...options.builderOptions, ...place];
  return openFollower({
    async publish(revision, work) {
      const result = await publishInChild({ argv, log: options.log }, revision, work);
      if (result.kind === 'published') await parts.reconciler.once();
      return result;
    },
    ...{ onChange: parts.onChange, now, random, log: options.log },
  });
}

interface Sockets {
  readonly components: readonly Component[];
  readonly ignored: () => Readonly<Record<string, number>>;
}

async function openSockets(
  { options, site, address, store }: Here,
  parts: Pick<Parts, 'serving' | 'table'> & { readonly emit: (event: BootEvent) => void },
): Promise<Sockets> {
  const { environment, pid, log, statePath } = options;
  const { serving, emit, table } = parts;
  const fileOf = tftpFileOf({
    ...{ menu: () => serving.current().menu, server: () => serving.current().server, blobPath: store.blobPath },
    firmwareAt: (at) => table.nodes.at(at)?.firmware,
  });
  const wanted = { interface: site.network.interface, environment, pid };
  if (site.network.dhcp.mode === 'off') {
    const { tftp } = await openBootSockets({ ...wanted, names: ['tftp'] });
    const server = tftpServer({ socket: tftp, address: address.address, fileOf, emit, log, now });
    return { components: [server], ignored: () => ({}) };
  }
  const { tftp, dhcp, pxe } = await openBootSockets({ ...wanted, names: ['dhcp', 'pxe', 'tftp'] });
  const leasesPath = join(statePath, 'leases.json');
  const view = () => serving.current().dhcp;
  const dhcpServer = await openDhcpServer({ sockets: { dhcp, pxe }, view, leasesPath, emit, log, now });
  const server = tftpServer({ socket: tftp, address: address.address, fileOf, emit, log, now });
  return { components: [dhcpServer, server], ignored: dhcpServer.ignored };
}
