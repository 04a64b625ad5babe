import { join } from 'node:path';
import type { PublicKey, SecretKey } from '#bundle/signature.ts';
import type { Site } from '#definition/site.ts';
import type { BuildOptions as BuildImagesOptions, Built } from '#pipeline/build.ts';
import type { Store } from '#store/store.ts';
import type { BuildFlags } from './build.ts';
import { findPlace, loadSiteHere, openDefinitions, type Place, type Source } from './builder.ts';
import type { Reporter } from './report.ts';

export interface Workpiece {
  readonly built: Built;
  /** What it was built with. */
  readonly options: BuildImagesOptions;
  readonly source: Source;
  readonly store: Store;
  readonly key: SecretKey;
  /** Whose signature counts: that of `key` among them. */
  readonly keys: readonly PublicKey[];
  readonly place: Place;
  /** Of the file on this machine. */
  readonly site: Site;
}

export interface BuildOptions {
  readonly reporter: Reporter;
  readonly signal: AbortSignal;
  /** Asked before anything is built; throws where it must not be. */
  readonly admit?: (workpiece: Pick<Workpiece, 'source' | 'store'>) => Promise<void>;
}

/**
 * Builds a commit and hands the result to `then`, all under the state directory's build lock: two builds of one state
 * directory wait for each other.
 */
export async function buildCommit(
  flags: BuildFlags,
  { reporter, signal, admit }: BuildOptions,
  then: (workpiece: Workpiece) => Promise<void>,
): Promise<void> {
  const { withFileLock } = await import('#pipeline/source/file-lock.ts');
  const place = await findPlace(flags);
  // The commit first: its faults are the ones to be shown when the file on the disk is the same broken one.
  const source = await openDefinitions(place, flags);
  try {
    reporter.warn(source.warnings);
    const { site, storePath } = await loadSiteHere(place, flags);
    const { key, keys } = await openKeys({ place, flags, reporter, publicKeys: site.trust.publicKeys });
    await withFileLock(
      join(place.statePath, 'build.lock'),
      async () => {
        const store = await (await import('#store/local.ts')).openStore(storePath);
        await admit?.({ source, store });
        const options = await buildOptions({ flags, place, source, store, keys, reporter, signal });
        const { build } = await import('#pipeline/build.ts');
        const built = await build(options);
        signal.throwIfAborted();
        await then({ built, options, source, store, key, keys, place, site });
      },
      signal,
    );
  } finally {
    await source.files.close();
  }
}

async function openKeys(options: {
  readonly place: Place;
  readonly flags: BuildFlags;
  readonly reporter: Reporter;
  readonly publicKeys: readonly string[];
}): Promise<{ readonly key: SecretKey; readonly keys: readonly PublicKey[] }> {
  const { place, flags, reporter, publicKeys } = options;
  const { openKeyPair, readSecretKey, trustedKeys } = await import('#pipeline/sign.ts');
  if (flags.key !== undefined) {
    const key = await readSecretKey(flags.key);
    return { key, keys: trustedKeys(publicKeys, key) };
  }
  const { key, isNew } = await openKeyPair(place.statePath);
  if (isNew) reporter.detail(`made the key pair ${key.keyId} in ${place.statePath}/keys`);
  return { key, keys: trustedKeys(publicKeys, key) };
}

async function buildOptions(options: {
  readonly flags: BuildFlags;
  readonly place: Place;
  readonly source: Source;
  readonly store: Store;
  readonly keys: readonly PublicKey[];
  readonly reporter: Reporter;
  readonly signal: AbortSignal;
}): Promise<BuildImagesOptions> {
  const { flags, place, source, store, keys, reporter, signal } = options;
  const { buildBootstrap } = await import('#bootstrap/build.ts');
  const surroundings = await surroundingsOf({ flags, place, reporter, signal });
  const bootstrap = async (signal: AbortSignal) =>
    buildBootstrap({
      ...surroundings,
      signal,
      store,
      toolRoot: await surroundings.toolRoot(),
      publicKeys: keys,
      arch: 'amd64',
    });
  return { ...source, ...surroundings, store, bootstrap, progress: reporter.progress };
}

/** Where tools and package lists are kept; the tool root is opened when something first needs it. */
export async function surroundingsOf(options: {
  readonly flags: Pick<BuildFlags, 'mirror' | 'refresh'>;
  readonly place: Place;
  readonly reporter: Reporter;
  readonly signal: AbortSignal;
}) {
  const { flags, place, reporter, signal } = options;
  const { openToolRoot } = await import('#pipeline/source/tool-root.ts');
  const mirror = flags.mirror === undefined ? {} : { mirror: flags.mirror };
  const cachePath = join(place.statePath, 'tools');
  const surroundings = { cachePath, ...mirror, refresh: flags.refresh, log: reporter.detail, signal };
  let opened: ReturnType<typeof openToolRoot> | undefined;
  const toolRoot = () => {
    opened ??= openToolRoot(surroundings);
    return opened;
  };
  const { loadSite } = await import('#definition/load-site.ts');
  const { sources } = await loadSite(place.configPath, place.overlay);
  return { ...surroundings, allowed: sources, toolRoot };
}
