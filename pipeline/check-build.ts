import { setTimeout as sleep } from 'node:timers/promises';
import type { ImageRelease } from '#bundle/catalog.ts';
import { version } from '#bundle/digest.ts';
import { Fault } from '#bundle/fault.ts';
import { manifestLimitBytes, parseManifest } from '#bundle/manifest.ts';
import { type BuildOptions, buildAnew } from './build.ts';
import { firstDifference } from './first-difference.ts';
import { gather } from './image-inputs.ts';
import type { ToolRoot, ToolRunOptions } from './source/tool-root.ts';
import type { Store } from './store/store.ts';

/** What the second build has otherwise than the first: nothing of it may show in the result. */
const otherSurroundings = {
  umask: 0o077,
  env: { TZ: 'Pacific/Kiritimati', LANG: 'POSIX', LC_ALL: 'POSIX', COLUMNS: '40' },
};
/** So that a second that is written into a file is another one. */
const pauseMs = 1100;

/**
 * Builds images that are in the store once more, elsewhere, later and with another umask, time zone and locale, and
 * compares every byte.
 * @throws Fault `BUILD_NOT_REPRODUCIBLE` that names the first file that differs, inside of a root filesystem too
 */
export async function checkImages(images: readonly ImageRelease[], options: BuildOptions): Promise<void> {
  const { definitions, progress, signal } = options;
  await sleep(pauseMs, undefined, signal && { signal });
  for (const [done, image] of definitions.images.entries()) {
    progress?.({ done, total: definitions.images.length, name: `${image.name}, once more` });
    const first = images.find(({ name, arch }) => name === image.name && arch === image.arch);
    if (!first) throw new TypeError(`${image.name} was not built`);
    const gathered = await gather(image, options.files, options);
    const second = await inOtherSurroundings(options, (other) => buildAnew(gathered, other));
    if (second.manifest.digest !== first.manifest.digest) throw await explain([first, second], options);
  }
}

async function inOtherSurroundings<T>(options: BuildOptions, work: (options: BuildOptions) => Promise<T>): Promise<T> {
  const { umask, env } = otherSurroundings;
  const toolRoot = async () => withEnvironment(await options.toolRoot(), env);
  const before = { umask: process.umask(umask), zone: process.env.TZ };
  process.env.TZ = env.TZ;
  try {
    return await work({ ...options, toolRoot });
  } finally {
    process.umask(before.umask);
    if (before.zone === undefined) delete process.env.TZ;
    else process.env.TZ = before.zone;
  }
}

/** What a step of the build sets itself stays. */
function withEnvironment(toolRoot: ToolRoot, env: Readonly<Record<string, string>>): ToolRoot {
  const run = (argv: readonly string[], options: ToolRunOptions = {}) =>
    toolRoot.run(argv, { ...options, env: { ...env, ...options.env } });
  return { ...toolRoot, run };
}

async function explain(
  [first, second]: readonly [Pick<ImageRelease, 'name' | 'manifest'>, Pick<ImageRelease, 'manifest'>],
  options: BuildOptions,
): Promise<Fault> {
  const files = async (release: Pick<ImageRelease, 'manifest'>) => manifestFiles(options.store, release);
  const [before, after] = [await files(first), await files(second)];
  const file = before.find((one) => after.find(({ name }) => name === one.name)?.sha256 !== one.sha256) ?? after.at(-1);
  const other = after.find(({ name }) => name === file?.name);
  const place =
    file && other
      ? await firstDifference(options.store.blobPath(file.sha256), options.store.blobPath(other.sha256), options)
      : 'it is in one of them only';
  const versions = `${version(first.manifest.digest)} became ${version(second.manifest.digest)}`;
  const message = `Cannot reproduce ${first.name}: ${versions}; the first difference is in ${file?.name ?? 'the list of files'}: ${place}`;
  return new Fault('BUILD_NOT_REPRODUCIBLE', message, {
    hint: 'Often it is a date, a random number or a cache that a run: step or a package writes: remove it in the last step, or set it from SOURCE_DATE_EPOCH',
    retry: 'stalled',
  });
}

async function manifestFiles(store: Store, { manifest }: Pick<ImageRelease, 'manifest'>) {
  return parseManifest((await store.readBlob(manifest.digest, manifestLimitBytes)).toString()).files;
}
