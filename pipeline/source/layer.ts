import { Fault } from '#bundle/fault.ts';

/** What a tar says of one entry, as far as laying it over a tree is concerned. */
export interface LayerEntry {
  readonly name: string;
  readonly type: string;
  /** With a hard link: the name of the file it is another name of. */
  readonly linkName?: string;
}

/** What must be gone from the tree before a layer is unpacked over it. */
export interface LayerPlan {
  /** Paths with all that is below them. */
  readonly remove: readonly string[];
  /** Folders that lose what they hold. */
  readonly empty: readonly string[];
}

/** What a tree has so far: whether a path is a folder. */
export type TreeIndex = Map<string, 'folder' | 'other'>;

const whiteout = '.wh.';
const opaque = '.wh..wh..opq';

/**
 * Decides about one entry of a layer, and notes it in the index. Names that climb are refused, whatever unpacks them.
 * @see https://github.com/opencontainers/image-spec/blob/v1.1.1/layer.md
 * @throws Fault `ARCHIVE_PATH_UNSAFE`
 */
export function planEntry(entry: LayerEntry, below: ReadonlyMap<string, unknown>, now: TreeIndex): Partial<LayerPlan> {
  const path = cleanPath(entry.name);
  if (entry.type === 'link') cleanPath(entry.linkName ?? '');
  if (path === '') return {};
  const cut = path.lastIndexOf('/') + 1;
  const [folder, base] = [path.slice(0, cut), path.slice(cut)];
  if (base === opaque) return { empty: folder === '' ? ['.'] : [folder.slice(0, -1)] };
  if (base.startsWith(whiteout)) return { remove: [`${folder}${base.slice(whiteout.length)}`] };
  // An archive need not name the folders that its files are in.
  for (let at = path.indexOf('/'); at > 0; at = path.indexOf('/', at + 1)) {
    const parent = path.slice(0, at);
    if (!below.has(parent) && !now.has(parent)) now.set(parent, 'folder');
  }
  const kind = entry.type === 'directory' ? 'folder' : 'other';
  now.set(path, kind);
  return below.has(path) && below.get(path) !== kind ? { remove: [path] } : {};
}

function cleanPath(name: string): string {
  const parts = name.split('/').filter((part) => part !== '' && part !== '.');
  if (!parts.includes('..') && !name.includes('\0')) return parts.join('/');
  throw new Fault('ARCHIVE_PATH_UNSAFE', `Cannot unpack ${JSON.stringify(name.slice(0, 200))}: its name climbs`, {
    hint: 'No honest builder makes such an archive: find out where it comes from',
    retry: 'stalled',
  });
}
