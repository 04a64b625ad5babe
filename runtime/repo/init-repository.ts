import { mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Fault } from '#bundle/fault.ts';
import { runGit } from '#definition/git.ts';
import { hookScript, isOurHook } from './hook-script.ts';

export interface InitOptions {
  readonly path: string;
  /** The branch that is followed. */
  readonly branch: string;
  readonly program: readonly string[];
  /** Options of the hooks. */
  readonly argv: readonly string[];
}

/**
 * What the repository refuses by itself, and that its hooks are those in it, whatever the configuration of who pushes says. An
 * object is checked before a hook is asked.
 */
const settings = [
  ['core.hooksPath', 'hooks'],
  ['receive.fsckObjects', 'true'],
  ['receive.advertisePushOptions', 'true'],
  ['receive.denyDeleteCurrent', 'refuse'],
  ['receive.maxInputSize', '2147483648'],
] as const;

/**
 * Makes a bare repository that validates a push before it takes it; of one that is there the hooks are made anew.
 * @returns whether it was made
 * @throws Fault `REPOSITORY_UNUSABLE`
 */
export async function initRepository({ path, branch, program, argv }: InitOptions): Promise<boolean> {
  await mkdir(path, { recursive: true });
  const names = await readdir(path);
  const isNew = names.length === 0;
  if (!isNew && !['HEAD', 'objects', 'refs'].every((name) => names.includes(name))) {
    throw unusable(
      path,
      'it is a directory with something else in it',
      'Name a bare repository, or a path where nothing is',
    );
  }
  const hooks = join(path, 'hooks');
  for (const name of ['pre-receive', 'post-receive']) await checkHook(join(hooks, name), path);
  if (isNew) await runGit(path, ['init', '--quiet', '--bare', '--template=', `--initial-branch=${branch}`, '.']);
  for (const [key, value] of settings) await runGit(path, ['config', '--local', key, value]);
  await mkdir(hooks, { recursive: true });
  await writeHook(join(hooks, 'pre-receive'), hookScript({ name: 'pre-receive', program, argv, isNeeded: true }));
  await writeHook(join(hooks, 'post-receive'), hookScript({ name: 'post-receive', program, argv, isNeeded: false }));
  return isNew;
}

async function checkHook(path: string, repository: string): Promise<void> {
  const text = await readFile(path, 'utf8').catch(() => undefined);
  if (text === undefined || isOurHook(text)) return;
  throw unusable(
    repository,
    `${path} is a hook of somebody else's`,
    'Move it away, or have it call ours: make another repository to see it',
  );
}

/** By renaming: a push that comes meanwhile runs the old one or the new one. */
async function writeHook(path: string, text: string): Promise<void> {
  const temporary = `${path}.${process.pid}.new`;
  await writeFile(temporary, text, { mode: 0o755 });
  await rename(temporary, path);
}

function unusable(path: string, reason: string, hint: string): Fault {
  return new Fault('REPOSITORY_UNUSABLE', `Cannot make a repository of ${path}: ${reason}`, { hint, retry: 'stalled' });
}
