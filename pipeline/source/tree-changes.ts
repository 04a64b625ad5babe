/** What has become of a tree: paths relative to it. */
export interface TreeChanges {
  /** New or changed, and the folders above them; a folder before what is in it. */
  readonly kept: readonly string[];
  /** Gone from a folder that is still there. */
  readonly removed: readonly string[];
}

/**
 * Compares two listings of one tree. Whatever was written, renamed, or given another mode or owner has another change time,
 * which no program can set.
 * @param before entries that end in NUL, each `<type> <mode> <owner> <inode> <change time> <size> <path>`
 */
export function treeChanges(before: string, after: string): TreeChanges {
  const [old, now] = [parseListing(before), parseListing(after)];
  const changed = [...now].filter(([path, state]) => old.get(path) !== state).map(([path]) => path);
  const removed = [...old.keys()].filter((path) => !now.has(path) && isFolder(now, parentOf(path)));
  const kept = new Set([...changed, ...removed.map(parentOf)].flatMap(withParents));
  return { kept: [...kept].toSorted(), removed: removed.toSorted() };
}

/** Path → all else that is known of it. */
function parseListing(text: string): ReadonlyMap<string, string> {
  const entries = text.split('\0').filter(Boolean);
  return new Map(
    entries.map((entry) => {
      const [, state = '', path = ''] = /^((?:[^ ]+ ){6})(.*)$/s.exec(entry) ?? [];
      return [path, state];
    }),
  );
}

function isFolder(listing: ReadonlyMap<string, string>, path: string): boolean {
  return path === '' || (listing.get(path)?.startsWith('d ') ?? false);
}

function parentOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf('/')));
}

function withParents(path: string): readonly string[] {
  return path === '' ? [] : [...withParents(parentOf(path)), path];
}
