import { copyFile, cp, mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { simpleGit } from 'simple-git';
import { Fault } from '#bundle/fault.ts';
import { type NewSite, secretNameIn, siteFiles, siteName, withSiteSchema } from './site-files.ts';

export interface InitOptions {
  readonly directory: string;
  readonly interface: string;
  readonly publicKey: string;
  /** Write what is missing into a directory that is not empty; what is there stays. Default: false. */
  readonly force?: boolean;
}

export interface Made {
  readonly name: string;
  /** Paths that were written, in the directory. */
  readonly written: readonly string[];
  readonly secretName?: string;
  /** Whether a repository with a first commit was made: not where there was one. */
  readonly isCommitted: boolean;
}

/** This package's folder: of a clone, or `dist` of an installed package, which has the templates at the same places. */
const program = fileURLToPath(new URL('../..', import.meta.url));
const example = 'images/debian';
const workflowPath = '.github/workflows/images.yml';
/** What `npm install` leaves in the empty directory that a site begins in. */
const ofNpm = /^(package\.json|package-lock\.json|node_modules|\.npmrc|.*\.tgz|\.boottorrent)$/;

/** @throws Fault `DIRECTORY_NOT_EMPTY` */
export async function checkEmpty(directory: string): Promise<void> {
  const names = await readdir(directory).catch(() => []);
  const others = names.filter((name) => !ofNpm.test(name));
  if (others.length === 0) return;
  const shown = others.slice(0, 3).join(', ');
  throw new Fault('DIRECTORY_NOT_EMPTY', `Cannot make a site in ${directory}: it holds ${shown}`, {
    hint: 'Name another directory, or say --force: then only what is missing is written',
    retry: 'stalled',
  });
}

/** Makes a directory the repository of a site: definitions, an example image, a workflow, and a first commit. */
export async function initSite({ directory, force = false, ...options }: InitOptions): Promise<Made> {
  if (!force) await checkEmpty(directory);
  const workflow = await readFile(join(program, workflowPath), 'utf8').catch(() => undefined);
  const secretName = workflow === undefined ? undefined : secretNameIn(workflow);
  const name = siteName(basename(directory));
  const site: NewSite = { name, ...options, ...(secretName !== undefined && { secretName }) };
  const texts = { ...siteFiles(site), ...(workflow !== undefined && { [workflowPath]: workflow }) };
  const written = await writeMissing(directory, { ...texts, ...(await packageFile(directory, name)) });
  if (await isMissing(join(directory, example))) written.push(...(await copyExample(directory)));
  const isCommitted = await commit(directory);
  return { name, written, isCommitted, ...(secretName !== undefined && { secretName }) };
}

async function writeMissing(directory: string, texts: Readonly<Record<string, string>>): Promise<string[]> {
  const written: string[] = [];
  for (const [path, text] of Object.entries(texts)) {
    const to = join(directory, path);
    await mkdir(dirname(to), { recursive: true });
    const isNew = await writeFile(to, text, { flag: 'wx' }).then(() => true, ifThere);
    if (isNew) written.push(path);
  }
  return written;
}

async function copyExample(directory: string): Promise<readonly string[]> {
  await cp(join(program, example), join(directory, example), { recursive: true });
  const path = join(directory, example, 'image.yaml');
  await writeFile(path, withSiteSchema(await readFile(path, 'utf8')));
  return [`${example}/`];
}

/** What `npm ci` in a clone of the site needs: the package by the same name that it was installed by here. */
async function packageFile(directory: string, name: string): Promise<Readonly<Record<string, string>>> {
  if (!(await isMissing(join(directory, 'package.json')))) return {};
  const own = await readFile(join(program, 'package.json'), 'utf8').then((text) => JSON.parse(text));
  const installer = join(program, '../../..');
  const asked = await readFile(join(installer, 'package.json'), 'utf8').then(
    (text) => JSON.parse(text).dependencies?.[own.name] as string | undefined,
    () => undefined,
  );
  let version = asked ?? own.version;
  if (asked?.startsWith('file:') && asked.endsWith('.tgz')) {
    const path = asked.slice('file:'.length);
    const tarball = basename(path);
    await copyFile(join(installer, path), join(directory, tarball));
    version = `file:${tarball}`;
  }
  const content = { name, private: true, dependencies: { [own.name]: version } };
  return { 'package.json': `${JSON.stringify(content, null, 2)}\n` };
}

async function commit(directory: string): Promise<boolean> {
  if (!(await isMissing(join(directory, '.git')))) return false;
  const repository = simpleGit(directory);
  try {
    await repository.init(['--initial-branch=main']);
    await repository.add('--all');
    const isKnown = (await repository.getConfig('user.email')).value !== null;
    const config = isKnown ? [] : ['user.name=boottorrent init', 'user.email=init@boottorrent.invalid'];
    await simpleGit(directory, { config }).commit('A site, made by boottorrent init');
    return true;
  } catch (cause) {
    const hint = 'The files are written: make the commit by hand, with "git init" and "git commit"';
    throw new Fault('COMMIT_FAILED', `Cannot make the first commit in ${directory}`, { cause, hint });
  }
}

async function isMissing(path: string): Promise<boolean> {
  return stat(path).then(
    () => false,
    () => true,
  );
}

function ifThere(error: NodeJS.ErrnoException): false {
  if (error.code === 'EEXIST') return false;
  throw error;
}
