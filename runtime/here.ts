import { dirname, join, resolve } from 'node:path';
import type { PublicKey } from '#bundle/signature.ts';
import { loadSite } from '#definition/load-site.ts';
import type { Site } from '#definition/site.ts';
import { loadOverlay, type SiteOverlay } from '#definition/site-overlay.ts';
import { openStore } from '#store/local.ts';
import type { Store } from '#store/store.ts';
import { type Mirror, openMirror } from './git/mirror.ts';
import { parseRemote, type Remote } from './git/remote.ts';
import type { Log } from './log.ts';
import { folderIn } from './site-settings.ts';
import { type InterfaceAddress, interfaceAddress } from './sockets/interface.ts';
import { trustedKeys } from './trusted-keys.ts';
import { readSecret } from './webhook/webhook.ts';

export interface RuntimeOptions {
  /** Path of `boot.config.yaml`. */
  readonly configPath: string;
  readonly statePath: string;
  /** Default: what the site says, relative to its file. */
  readonly storePath?: string;
  /** Set where another user builds: nothing is written there. Default: false. */
  readonly isStoreReadOnly?: boolean;
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

/** What this machine brings: the site on its disk, its address, its store and keys. */
export interface Here {
  readonly options: RuntimeOptions;
  readonly site: Site;
  readonly overlay: SiteOverlay | undefined;
  readonly address: InterfaceAddress;
  readonly store: Store;
  readonly keys: readonly PublicKey[];
  readonly remote: Remote;
  readonly mirror: Mirror;
  /** With which a forge signs its webhooks; absent: none is taken. */
  readonly webhookSecret?: string;
}

/** @throws those of the file, the interface, the store, the keys and the remote */
export async function openHere(options: RuntimeOptions, signal: AbortSignal): Promise<Here> {
  const { configPath, statePath, environment, log } = options;
  const overlay = await loadOverlay(options.overlayPath);
  const site = await loadSite(configPath, overlay);
  const address = await interfaceAddress(site.network.interface, site.network.address);
  const storePath = options.storePath ?? resolve(dirname(configPath), site.store.path);
  const store = await openStore(storePath, options.isStoreReadOnly ? { notesPath: statePath } : {});
  const keygen = [...options.builder, 'keygen', ...options.builderOptions];
  const keys = await trustedKeys(site.trust.publicKeys, { statePath, keygen, log });
  const remote = await parseRemote(site.git.remote, configPath);
  const branch = site.git.branch === undefined ? {} : { branch: site.git.branch };
  const mirror = await openMirror({ path: join(statePath, 'mirror.git'), remote, ...branch, environment, signal });
  const { webhook } = site.git;
  const secret = webhook && { webhookSecret: await readSecret(resolve(dirname(configPath), webhook.secretFile)) };
  return { options, site, overlay, address, store, keys, remote, mirror, ...secret };
}

/** Where `boot.config.yaml` is in the repository: `''`, or a path that ends in a slash. */
export function folderOf({ options, remote }: Here): string {
  return remote.local ? folderIn(remote.address, options.configPath) : '';
}
