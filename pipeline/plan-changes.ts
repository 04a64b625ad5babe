import type { Catalog } from '#bundle/catalog.ts';
import { type Digest, type Mac, version } from '#bundle/digest.ts';
import { Fault } from '#bundle/fault.ts';
import type { Arch } from '#bundle/manifest.ts';
import { memoryNeed } from '#bundle/memory.ts';
import { chooseImage } from '#bundle/selector.ts';
import { type Planned, type PlannedFile, type PlannedImage, sumBytes } from './planned.ts';

/** A node that the runtime has seen. */
export interface KnownNode {
  readonly mac: Mac;
  readonly arch: Arch;
  /** RAM of the machine, where its agent has told it. */
  readonly memoryBytes?: number;
}

/** A catalog that was published before. */
export interface EarlierCatalog extends Pick<Catalog, 'serial' | 'revision' | 'images'> {}

/**
 * What happens to an image. `settings`: only what the catalog says of it changes, no byte of its files.
 * Whether it has to be built is said by `mustBuild`.
 */
export type ChangeKind = 'added' | 'removed' | 'changed' | 'settings' | 'unchanged';

export interface ImageChange {
  readonly name: string;
  readonly arch: Arch;
  readonly kind: ChangeKind;
  /** Versions; `to` is absent where the image is removed, and where it is known only when it was built. */
  readonly from?: string;
  readonly to?: string;
  readonly mustBuild: boolean;
  /** What of title, start, command line and the like changes. */
  readonly settings: readonly string[];
  /** The newest catalog before the current one that had this version. */
  readonly rollsBackTo?: { readonly serial: number; readonly revision: string };
  /** Bytes of the files that a build makes. */
  readonly buildBytes?: number;
  /** Bytes of the files that nothing published now has: what a server or registry that has those must fetch. */
  readonly transferBytes?: number;
  /** Bytes that a node downloads when it boots the image, without the bootstrap's parts. */
  readonly bootBytes?: number;
  /** The bytes are those of the version before: the real ones are known when it was built. */
  readonly isEstimate: boolean;
}

/** A node that will boot something else, or that lacks the RAM for what it will boot. */
export interface NodeChange {
  readonly mac: Mac;
  readonly from?: string;
  readonly to?: string;
  readonly isChanged: boolean;
  readonly memoryBytes?: number;
  /** RAM that image and bootstrap take. */
  readonly needBytes?: number;
  /** Absent: RAM of the node, or size of the image, is not known. */
  readonly fits?: boolean;
  /** Why it will boot nothing. */
  readonly trouble?: string;
}

export interface PlanChanges {
  readonly images: readonly ImageChange[];
  readonly bootstrap: { readonly kind: 'unchanged' | 'changed'; readonly mustBuild: boolean };
  readonly knownNodes: number;
  readonly nodes: readonly NodeChange[];
}

/** RAM of the bootstrap itself: a machine with 1218 MiB had 1086 MiB free in it. */
const bootstrapBytes = 144 * 1024 * 1024;

/** What differs between what is there and what would be. */
export function planChanges(
  before: Planned | undefined,
  after: Planned,
  { nodes, earlier }: { readonly nodes: readonly KnownNode[]; readonly earlier: readonly EarlierCatalog[] },
): PlanChanges {
  const there = new Set(before?.images.flatMap(({ files = [] }) => files.flatMap(({ sha256 }) => sha256 ?? [])));
  const images = after.images.map((image) => imageChange(findSame(before, image), image, { there, earlier }));
  const removed = (before?.images ?? []).filter((image) => !findSame(after, image)).map(removal);
  const known = nodes.map((node) => nodeChange(before, after, { node, images }));
  return {
    images: [...images, ...removed].toSorted((a, b) => (a.name < b.name ? -1 : 1)),
    bootstrap: bootstrapChange(before, after),
    knownNodes: nodes.length,
    nodes: known.filter(({ isChanged, fits, trouble }) => isChanged || fits === false || trouble !== undefined),
  };
}

function findSame(planned: Planned | undefined, image: PlannedImage): PlannedImage | undefined {
  return planned?.images.find(({ name, arch }) => name === image.name && arch === image.arch);
}

function imageChange(
  before: PlannedImage | undefined,
  after: PlannedImage,
  { there, earlier }: { readonly there: ReadonlySet<Digest>; readonly earlier: readonly EarlierCatalog[] },
): ImageChange {
  const { name, arch, manifest, files, isEstimate } = after;
  const settings = before ? settingsThatDiffer(before, after) : [];
  const mustBuild = manifest === undefined;
  const isSame = before?.manifest !== undefined && before.manifest === manifest;
  const kind = !before ? 'added' : !isSame ? 'changed' : settings.length > 0 ? 'settings' : 'unchanged';
  const rollsBackTo = isSame || manifest === undefined ? undefined : findEarlier(earlier, name, manifest);
  return {
    ...{ name, arch, kind, mustBuild, settings, isEstimate },
    ...(before?.manifest && { from: version(before.manifest) }),
    ...(manifest && { to: version(manifest) }),
    ...(rollsBackTo && { rollsBackTo }),
    ...(files && bytesOf(files, { there, mustBuild })),
  };
}

function bytesOf(
  files: readonly PlannedFile[],
  { there, mustBuild }: { readonly there: ReadonlySet<Digest>; readonly mustBuild: boolean },
): Pick<ImageChange, 'buildBytes' | 'transferBytes' | 'bootBytes'> {
  const bootBytes = sumBytes(files);
  const transferBytes = sumBytes(files.filter(({ sha256 }) => sha256 === undefined || !there.has(sha256)));
  return {
    ...(bootBytes !== undefined && { bootBytes, buildBytes: mustBuild ? bootBytes : 0 }),
    ...(transferBytes !== undefined && { transferBytes }),
  };
}

function settingsThatDiffer(before: PlannedImage, after: PlannedImage): readonly string[] {
  const keys = ['title', 'description', 'start', 'cmdline', 'heartbeatMs'] as const;
  return keys.filter((key) => JSON.stringify(before[key]) !== JSON.stringify(after[key]));
}

function removal({ name, arch, manifest }: PlannedImage): ImageChange {
  const from = manifest && { from: version(manifest) };
  return { name, arch, kind: 'removed', mustBuild: false, settings: [], isEstimate: false, ...from };
}

function findEarlier(earlier: readonly EarlierCatalog[], name: string, manifest: Digest) {
  const newestFirst = earlier.toSorted((a, b) => b.serial - a.serial);
  const found = newestFirst.find(({ images }) =>
    images.some((image) => image.name === name && image.manifest.digest === manifest),
  );
  return found && { serial: found.serial, revision: found.revision };
}

function bootstrapChange(before: Planned | undefined, after: Planned): PlanChanges['bootstrap'] {
  const versions = (planned: Planned | undefined) =>
    [...(planned?.bootstraps ?? []), ...(planned?.parts ?? [])].map(({ manifest }) => manifest.digest).join();
  const mustBuild = after.bootstraps === undefined;
  return { kind: !mustBuild && versions(before) === versions(after) ? 'unchanged' : 'changed', mustBuild };
}

function nodeChange(
  before: Planned | undefined,
  after: Planned,
  { node, images }: { readonly node: KnownNode; readonly images: readonly ImageChange[] },
): NodeChange {
  const { mac, memoryBytes } = node;
  const old = before && choice(before, node);
  const next = choice(after, node);
  const change = images.find(({ name, arch }) => name === next.image?.name && arch === node.arch);
  const isSameImage = old?.image?.name === next.image?.name && old?.cmdline === next.cmdline;
  const needBytes = next.image && needOf(next.image, after);
  const fits = needBytes === undefined || memoryBytes === undefined ? undefined : needBytes <= memoryBytes;
  return {
    mac,
    isChanged: !isSameImage || (change !== undefined && change.kind !== 'unchanged'),
    ...(old?.image && { from: shown(old.image) }),
    ...(next.image && { to: shown(next.image) }),
    ...(memoryBytes !== undefined && { memoryBytes }),
    ...(needBytes !== undefined && { needBytes }),
    ...(fits !== undefined && { fits }),
    ...(next.trouble !== undefined && { trouble: next.trouble }),
  };
}

function needOf(image: PlannedImage, after: Planned): number | undefined {
  if (image.memoryBytes === undefined) return undefined;
  return bootstrapBytes + memoryNeed({ ...image, memoryBytes: image.memoryBytes }, after.parts);
}

function choice(
  planned: Planned,
  node: KnownNode,
): { readonly image?: PlannedImage; readonly cmdline?: string; readonly trouble?: string } {
  try {
    const { image, group } = chooseImage(planned, node);
    return { image, ...(group?.cmdline !== undefined && { cmdline: group.cmdline }) };
  } catch (error) {
    if (error instanceof Fault) return { trouble: error.message };
    throw error;
  }
}

function shown({ name, manifest }: PlannedImage): string {
  return manifest ? `${name}@${version(manifest)}` : `${name} (to be built)`;
}
