import { join } from 'node:path';
import { Command } from 'commander';
import type { Release } from '#bundle/catalog.ts';
import { version } from '#bundle/digest.ts';
import { Fault } from '#bundle/fault.ts';
import type { Manifest } from '#bundle/manifest.ts';
import type { Store } from '#store/store.ts';
import { findPlace, loadSiteHere, type PlaceFlags, withPlace } from './builder.ts';
import { openReporter, type Reporter, reporting } from './report.ts';
import { exitOnSignal } from './signal.ts';

interface BootstrapFlags extends PlaceFlags {
  readonly mirror?: string;
  readonly refresh: boolean;
  readonly check: boolean;
  readonly verbose: boolean;
  readonly json: boolean;
}

/** `boottorrent bootstrap build`: the tiny Linux that every node loads, into the store. */
export function bootstrapCommand(): Command {
  const build = withPlace(new Command('build'))
    .description('Build kernel, initramfs, boot programs and modules layer, unless the store has them')
    .option('--mirror <uri>', "the Debian archive to use (default: this host's)")
    .option('--refresh', 'resolve packages anew although the store remembers which were used', false)
    .option('--check', 'build once more from scratch, and fail unless every byte is the same', false)
    .option('--verbose', 'show what the tools say', false)
    .option('--json', 'one JSON object a line on standard output', false)
    .exitOverride()
    .action((flags: BootstrapFlags) => reporting(flags, () => buildVerb(flags)));
  return new Command('bootstrap').description('The bootstrap that nodes boot from').addCommand(build);
}

async function buildVerb(flags: BootstrapFlags): Promise<void> {
  const reporter = openReporter(flags);
  const signal = exitOnSignal();
  const place = await findPlace(flags);
  const { withFileLock } = await import('#pipeline/source/file-lock.ts');
  const { site, storePath } = await loadSiteHere(place, flags);
  const { openKeyPair, trustedKeys } = await import('#pipeline/sign.ts');
  const { key } = await openKeyPair(place.statePath);
  const publicKeys = trustedKeys(site.trust.publicKeys, key);
  await withFileLock(
    join(place.statePath, 'build.lock'),
    async () => {
      const store = await (await import('#store/local.ts')).openStore(storePath);
      const { openToolRoot } = await import('#pipeline/source/tool-root.ts');
      const { buildBootstrap } = await import('#bootstrap/build.ts');
      const mirror = flags.mirror === undefined ? {} : { mirror: flags.mirror };
      const surroundings = { cachePath: join(place.statePath, 'tools'), ...mirror, log: reporter.detail, signal };
      const toolRoot = await openToolRoot(surroundings);
      const options = { ...surroundings, store, toolRoot, publicKeys, arch: 'amd64', refresh: flags.refresh } as const;
      const release = await buildBootstrap(options);
      if (flags.check) compare(release, await buildBootstrap({ ...options, refresh: false, anew: true }));
      await show(release, { store, reporter });
    },
    signal,
  );
}

/** @throws Fault `BUILD_NOT_REPRODUCIBLE` */
function compare(first: Release, second: Release): void {
  if (first.manifest.digest === second.manifest.digest) return;
  const message = `Cannot reproduce the bootstrap: ${version(first.manifest.digest)} became ${version(second.manifest.digest)}`;
  throw new Fault('BUILD_NOT_REPRODUCIBLE', message, { hint: 'Compare the manifests of both in the store' });
}

async function show(
  release: Release,
  { store, reporter }: { readonly store: Store; readonly reporter: Reporter },
): Promise<void> {
  const { manifestLimitBytes, parseManifest } = await import('#bundle/manifest.ts');
  const manifest: Manifest = parseManifest(
    (await store.readBlob(release.manifest.digest, manifestLimitBytes)).toString(),
  );
  const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(2).padStart(7)} MB`;
  const lines = manifest.files.map(({ name, role, sizeBytes }) => `${megabytes(sizeBytes)}  ${role.padEnd(8)} ${name}`);
  const loaded = manifest.files.filter(({ role }) => role === 'kernel' || role === 'initrd');
  const sum = loaded.reduce((total, file) => total + file.sizeBytes, 0);
  const title = `bootstrap@${version(release.manifest.digest)}, kernel ${manifest.kernelRelease}`;
  const last = `${megabytes(sum)}  kernel and initramfs together, of at most 27 MB`;
  reporter.result('bootstrap', { release, manifest, loadedBytes: sum }, [title, ...lines, last].join('\n'));
}
