import type { Release } from '#bundle/catalog.ts';
import type { Digest } from '#bundle/digest.ts';
import type { ContentId } from '#definition/files.ts';
import type { ImageDefinition, ImageSource } from '#definition/image.ts';

/** Everything that the bytes of an image depend on. Title and command line are none of it: they are in the catalog. */
export interface ImageInputs {
  readonly image: ImageDefinition;
  /** Of the overlay's paths, modes and contents, and of how they are laid over. */
  readonly overlay?: Digest;
  /** Of a tree that lies outside of the commit. */
  readonly content?: Digest;
  /** Of files that lie in the image's folder, by path; `+x` behind those that are executable. */
  readonly files: Readonly<Record<string, ContentId>>;
  /** SHA-256 of every package, in the order of the lock. */
  readonly packages: readonly Digest[];
  /** How the source works: changes when the same inputs would give other bytes. */
  readonly recipe: Digest | 'none';
  readonly tools: Readonly<Record<string, string>>;
}

/** What is to be done for one image. */
export type Step =
  | { readonly kind: 'reuse'; readonly image: ImageDefinition; readonly release: Release }
  | { readonly kind: 'build'; readonly image: ImageDefinition; readonly inputs: Digest };

/**
 * Which images have to be built, in the order of `inputs`.
 * @param digestOf SHA-256 of a text
 * @param kept the releases that are in the store, by the digest of their inputs
 */
export function plan(
  inputs: readonly ImageInputs[],
  { digestOf, kept }: { readonly digestOf: (text: string) => Digest; readonly kept: ReadonlyMap<Digest, Release> },
): readonly Step[] {
  return inputs.map((one) => {
    const digest = digestOf(formatInputs(one));
    const release = kept.get(digest);
    return release ? { kind: 'reuse', image: one.image, release } : { kind: 'build', image: one.image, inputs: digest };
  });
}

/** A text that is the same exactly when a build would give the same bytes. */
export function formatInputs({ image, overlay, content, files, packages, recipe, tools }: ImageInputs): string {
  const { name, arch, start, memoryBytes, source, run } = image;
  return JSON.stringify({
    format: 3,
    name,
    arch,
    method: start.method,
    memoryBytes,
    source: sourceInputs(source),
    overlay: overlay ?? null,
    content: content ?? null,
    run,
    files: sorted(files),
    packages,
    recipe,
    tools: sorted(tools),
  });
}

/** The names of the packages are in the lock: their order in the definition makes no difference. */
function sourceInputs(source: ImageSource): unknown {
  return source.kind === 'debian' ? { kind: 'debian', suite: source.suite } : source;
}

function sorted<T>(record: Readonly<Record<string, T>>): readonly (readonly [string, T])[] {
  return Object.entries(record).toSorted(([a], [b]) => (a < b ? -1 : 1));
}
