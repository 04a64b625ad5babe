import { join } from 'node:path';
import { Command } from 'commander';
import type { MeasuredBootstrap } from '#bootstrap/build.ts';
import type { Release } from '#bundle/catalog.ts';
import { version } from '#bundle/digest.ts';
import { Fault } from '#bundle/fault.ts';
import type { Manifest } from '#bundle/manifest.ts';
import type { BuiltBootstrap } from '#pipeline/build.ts';
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
      const built = await buildBootstrap(options);
      if (flags.check) compare(built, await buildBootstrap({ ...options, refresh: false, anew: true }));
      await show(built, { store, reporter });
    },
    signal,
  );
}

/** @throws Fault `BUILD_NOT_REPRODUCIBLE` */
function compare(first: BuiltBootstrap, second: BuiltBootstrap): void {
  for (const [index, one] of releasesOf(first).entries()) {
    const other = releasesOf(second)[index];
    if (one.manifest.digest === other?.manifest.digest) continue;
    const became = other ? version(other.manifest.digest) : 'nothing';
    const message = `Cannot reproduce ${one.name}: ${version(one.manifest.digest)} became ${became}`;
    throw new Fault('BUILD_NOT_REPRODUCIBLE', message, { hint: 'Compare the manifests of both in the store' });
  }
}

function releasesOf({ bootstrap, parts }: BuiltBootstrap): readonly Release[] {
  return [bootstrap, ...parts];
}

async function show(
  { bootstrap: release, parts, sizes }: MeasuredBootstrap,
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
  const later = parts.map(({ name, sizeBytes }) => `${megabytes(sizeBytes)}  part     ${name}`);
  const { budgetBytes } = await import('#bootstrap/contents.ts');
  const last = `${megabytes(sum)}  kernel and initramfs together, of at most ${budgetBytes / 1e6} MB:`;
  const { formatSizes } = await import('#bootstrap/sizes.ts');
  reporter.result(
    'bootstrap',
    { release, manifest, parts, loadedBytes: sum, sizes },
    [title, ...lines, ...later, last, ...formatSizes(sizes)].join('\n'),
  );
}
