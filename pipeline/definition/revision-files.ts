import { parseRevision, type Revision } from '#bundle/digest.ts';
import { Fault } from '#bundle/fault.ts';
import { findSecretKeys } from '#bundle/signature.ts';
import { searchLimitBytes, tooLarge } from './directory-files.ts';
import { type ContentId, type DefinitionFiles, type FileEntry, filesLimit } from './files.ts';
import { pathOf, type Repository, runGit } from './git.ts';
import { openGitObjects } from './git-objects.ts';

/** A commit, wherever its repository is. */
export interface Commit {
  readonly revision: Revision;
  /** ISO 8601 in UTC. */
  readonly committedAt: string;
}

/**
 * Names the commit that `name` (a revision, branch or tag) stands for.
 * @throws Fault `REVISION_UNKNOWN`
 */
export async function resolveCommit(repository: Repository, name: string): Promise<Commit> {
  const argv = ['log', '-1', '--no-show-signature', '--format=%H %ct', '--end-of-options', `${name}^{commit}`];
  try {
    const [revision, seconds] = (await runGit(repository, argv)).toString().trim().split(' ');
    return { revision: parseRevision(revision), committedAt: new Date(Number(seconds) * 1000).toISOString() };
  } catch (cause) {
    throw new Fault('REVISION_UNKNOWN', `Cannot find revision ${JSON.stringify(name)} in ${pathOf(repository)}`, {
      cause,
      hint: 'Name a commit, branch or tag of the repository; a new repository needs its first commit',
    });
  }
}

/**
 * The repository that a directory is in, and its path inside, ending in a slash (`''` at the top).
 * @throws Fault `GIT_FAILED`
 */
export async function findRepository(
  directory: string,
): Promise<{ readonly repository: string; readonly folder: string }> {
  const [repository = directory, folder = ''] = (
    await runGit(directory, ['rev-parse', '--show-toplevel', '--show-prefix'])
  )
    .toString()
    .split('\n');
  return { repository, folder };
}

/**
 * Reads definitions from a commit, straight from git's objects: nothing is checked out, no filter and no hook runs.
 * @param repository a bare repository, or the top of a work tree
 * @param folder where `boot.config.yaml` is in the repository: `''`, or a path that ends in a slash
 */
export async function revisionFiles(
  repository: Repository,
  { revision, folder = '' }: { readonly revision: Revision; readonly folder?: string },
): Promise<DefinitionFiles> {
  const tree = await listTree(repository, revision);
  const entries = inFolder(tree, folder);
  const byPath = new Map(entries.map((entry) => [entry.path, entry]));
  const objects = openGitObjects(repository);
  const regularAt = (path: string): TreeEntry => {
    const entry = byPath.get(path);
    if (entry && entry.kind !== 'other') return entry;
    const reason = entry ? 'it is no regular file' : 'the commit has no such file';
    throw new Fault('FILE_MISSING', `Cannot read ${path}: ${reason}`, { retry: 'stalled' });
  };
  return {
    list: async (prefix) => entries.filter(({ path }) => path.startsWith(prefix)),
    contentId: async (path) => contentIdOf(regularAt(path)),
    async read(path, limitBytes) {
      const entry = regularAt(path);
      if (entry.sizeBytes > limitBytes) throw tooLarge(path, { sizeBytes: entry.sizeBytes, limitBytes });
      return objects.read(entry.objectId);
    },
    findSecretKeys: () => searchTree(repository, revision, tree),
    close: () => objects.close(),
  };
}

/** A list of {@link filesLimit} files with names of some length. */
const treeLimitBytes = 64 * 1024 * 1024;

/** So many of the largest files are left out of a search: each is an argument of git. */
const excludedLimit = 200;

interface TreeEntry extends FileEntry {
  readonly objectId: string;
}

function contentIdOf({ objectId }: TreeEntry): ContentId {
  return objectId.length === 64 ? `sha256:${objectId}` : `sha1:${objectId}`;
}

async function listTree(repository: Repository, revision: Revision): Promise<readonly TreeEntry[]> {
  const argv = ['ls-tree', '-r', '-l', '-z', '--full-tree', revision];
  const output = await runGit(repository, argv, { limitBytes: treeLimitBytes }).catch((error) => {
    throw error instanceof Fault && error.code === 'GIT_TOO_LARGE' ? tooMany(revision) : error;
  });
  const lines = output.toString('utf8').split('\0').filter(Boolean);
  if (lines.length > filesLimit) throw tooMany(revision);
  return lines.map(parseTreeLine);
}

function tooMany(revision: Revision): Fault {
  return new Fault('FILES_TOO_MANY', `Cannot read revision ${revision}: more than ${filesLimit} files`, {
    hint: 'Keep definitions in a repository of their own; what is to be installed belongs into packages',
    retry: 'stalled',
  });
}

function inFolder(tree: readonly TreeEntry[], folder: string): readonly TreeEntry[] {
  return tree
    .filter(({ path }) => path.startsWith(folder))
    .map((entry) => ({ ...entry, path: entry.path.slice(folder.length) }))
    .toSorted((a, b) => (a.path < b.path ? -1 : 1));
}

/** `<mode> <type> <object> <size padded>\t<path>` */
function parseTreeLine(line: string): TreeEntry {
  const [, mode, objectId = '', size, path = ''] = /^(\d+) \w+ ([0-9a-f]+) +(\d+|-)\t(.*)$/s.exec(line) ?? [];
  const kind = mode === '100755' ? 'executable' : mode?.startsWith('100') ? 'file' : 'other';
  return { path, kind, objectId, sizeBytes: size === '-' ? 0 : Number(size) };
}

/** Looks through the whole commit, not only through the definitions; but not through its payload, which takes long. */
async function searchTree(
  repository: Repository,
  revision: Revision,
  tree: readonly TreeEntry[],
): Promise<readonly { readonly file: string; readonly line: number }[]> {
  const large = tree
    .filter(({ sizeBytes }) => sizeBytes > searchLimitBytes)
    .toSorted((a, b) => b.sizeBytes - a.sizeBytes);
  const without = large.slice(0, excludedLimit).map(({ path }) => `:(exclude,top,literal)${path}`);
  const argv = ['grep', '-a', '-z', '-n', '--full-name', '-E', '-e', 'RW(QAAEIy|RTY0Iy)', revision, '--', ...without];
  const output = (await runGit(repository, argv, { accept: [0, 1] })).toString('latin1');
  // Each match: `<revision>:<path>` NUL `<line>` NUL `<text>` newline.
  const matches = output.matchAll(/(?:^|\n)[0-9a-f]+:([^\0]*)\0(\d+)\0([^\n]*)/g);
  return [...matches].flatMap(([, file = '', line = '', text = '']) =>
    findSecretKeys(text).length > 0 ? [{ file, line: Number(line) }] : [],
  );
}
