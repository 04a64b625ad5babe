import type { Catalog, Group, ImageRelease } from './catalog.ts';
import type { Mac } from './digest.ts';
import { Fault } from './fault.ts';
import type { Arch } from './manifest.ts';
import type { RecordReader } from './record.ts';

/** Which nodes a group is for: every given key must match, in a list one of the patterns (`*` = any characters). */
export interface Selector {
  readonly mac?: readonly string[];
  readonly arch?: readonly Arch[];
}

/** What is known of a node when its image is chosen. */
export interface NodeLabels {
  readonly mac: Mac;
  readonly arch: Arch;
}

/** What of a catalog decides about a node's image. */
export interface Choices<T> extends Pick<Catalog, 'groups'> {
  readonly images: readonly T[];
  readonly menu: Pick<Catalog['menu'], 'default'>;
}

/** @throws the reader's fault */
export function parseSelector(record: RecordReader): Selector {
  const has = (key: string) => record.keys().includes(key);
  return {
    ...(has('mac') && { mac: record.strings('mac', 10_000) }),
    ...(has('arch') && { arch: record.strings('arch', 10) as readonly Arch[] }),
  };
}

/** Whether a selector matches a node. An empty selector matches all. */
export function matches(selector: Selector, node: NodeLabels): boolean {
  const mac = selector.mac?.some((pattern) => matchesPattern(pattern.toLowerCase(), node.mac)) ?? true;
  const arch = selector.arch?.includes(node.arch) ?? true;
  return mac && arch;
}

/** The first group that matches; order in `boot.config.yaml` is order of precedence. */
export function groupOf(groups: readonly Group[], node: NodeLabels): Group | undefined {
  return groups.find((group) => matches(group.match, node));
}

/**
 * The image that a node boots when nobody chooses another: its group's, else the menu's default.
 * @throws Fault `IMAGE_UNKNOWN` when the catalog has none of that name for the node's architecture
 */
export function chooseImage<T extends Pick<ImageRelease, 'name' | 'arch'>>(
  catalog: Choices<T>,
  node: NodeLabels,
): { image: T; group: Group | undefined } {
  const group = groupOf(catalog.groups, node);
  const name = group?.image ?? catalog.menu.default;
  const image = catalog.images.find((one) => one.name === name && one.arch === node.arch);
  if (!image) {
    throw new Fault('IMAGE_UNKNOWN', `Cannot choose an image for ${node.mac}: no ${name} for ${node.arch}`, {
      hint: 'Name an image of that architecture in menu.default or in the group of this node',
      retry: 'stalled',
    });
  }
  return { image, group };
}

/**
 * The images that a person at a node may choose from, sorted as in the catalog, the default among them. One alone: the
 * group says it, and there is no menu.
 * @throws Fault `IMAGE_UNKNOWN` as {@link chooseImage}
 */
export function offeredImages(catalog: Catalog, node: NodeLabels): readonly ImageRelease[] {
  const { image, group } = chooseImage(catalog, node);
  if (group?.image !== undefined) return [image];
  const offered = catalog.images.filter((one) => one.arch === node.arch);
  return group?.images ? offered.filter((one) => one === image || group.images?.includes(one.name)) : offered;
}

/** Command lines of an image and of a group, joined as they reach the kernel (kexec) or init (switch-root). */
export function joinCmdline(...parts: readonly (string | undefined)[]): string {
  return parts.filter((part) => part !== undefined && part !== '').join(' ');
}

/** Linear in both lengths for one star, and without regular expressions: the text comes from the network. */
function matchesPattern(pattern: string, text: string): boolean {
  const [head = '', ...rest] = pattern.split('*');
  if (rest.length === 0) return text === head;
  if (!text.startsWith(head)) return false;
  let at = head.length;
  const tail = rest.pop() ?? '';
  for (const part of rest) {
    const found = text.indexOf(part, at);
    if (found < 0) return false;
    at = found + part.length;
  }
  return text.length - tail.length >= at && text.endsWith(tail);
}
