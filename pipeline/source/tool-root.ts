import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Fault } from '#bundle/fault.ts';
import type { Arch } from '#bundle/manifest.ts';
import { downloadPackages, resolvePackages } from './apt.ts';
import { common } from './apt-directory.ts';
import { writeDebRepository } from './deb-repository.ts';
import { withFileLock } from './file-lock.ts';
import { plainEnvironment, runProgram } from './program.ts';
import type { LogLine } from './source.ts';

export interface ToolRootOptions {
  /** Where tool roots are kept, usually `<state>/tools`. */
  readonly cachePath: string;
  /** Root URI of the Debian archive. Default: the mirror of this host, else Debian's. */
  readonly mirror?: string;
  readonly log?: LogLine;
  readonly signal?: AbortSignal;
}

export interface ToolRunOptions {
  /** Inside the tool root. Default: `/`. */
  readonly cwd?: string;
  /** Added to a plain environment; nothing of the caller's environment gets in. */
  readonly env?: Readonly<Record<string, string>>;
  /** Directories of the host to be seen inside, the target made where missing. Writable unless `readonly`. */
  readonly mounts?: readonly { readonly source: string; readonly target: string; readonly readonly?: boolean }[];
  readonly log?: LogLine;
  readonly signal?: AbortSignal;
  readonly failure?: { readonly code: string; readonly message: string; readonly hint?: string };
}

/**
 * A Debian 13 system with the programs that make images, the same on every host. What a command changes in it is
 * forgotten when the command ends (it is in memory: put large work into a mount), except below writable mounts.
 */
export interface ToolRoot {
  readonly path: string;
  /** Version by package, for the digest of a build's inputs. */
  readonly versions: Readonly<Record<string, string>>;
  /**
   * Runs a command chrooted, as root, without network, and returns its standard output.
   * @throws Fault `PROGRAM_FAILED` or the code of `failure`, with the command's last lines
   */
  run(argv: readonly string[], options?: ToolRunOptions): Promise<string>;
}

const suite = 'trixie';
const packages = [
  '?essential',
  'apt',
  'mmdebstrap',
  'squashfs-tools',
  'zstd',
  'xz-utils',
  'cpio',
  'kmod',
  'mount',
  'xorriso',
  'bubblewrap',
] as const;
/** Documentation of the tools, which nobody reads there: 30 MB less. */
const excluded = ['/usr/share/doc/*', '/usr/share/man/*', '/usr/share/locale/*', '/usr/share/info/*'] as const;

/**
 * Opens the tool root; the first time on a host it is made, from packages whose signatures apt checks, which takes
 * about 40 seconds. Any number of processes may open it at once: one makes it, the others wait.
 * @throws Fault `TOOL_ROOT_FAILED`
 */
export async function openToolRoot(options: ToolRootOptions): Promise<ToolRoot> {
  const { cachePath, signal } = options;
  const recipe = createHash('sha256')
    .update(JSON.stringify([suite, packages, excluded, hostArch()]))
    .digest('hex');
  const path = join(cachePath, `tool-root-${recipe.slice(0, 16)}`);
  if ((await readVersions(path)) === undefined) {
    await withFileLock(join(cachePath, 'tool-root.lock'), () => make(path, options), signal);
  }
  const versions = await readVersions(path);
  if (!versions) throw new Fault('TOOL_ROOT_FAILED', `Cannot use the tool root ${path}: its list of versions is gone`);
  const scratch = join(cachePath, 'scratch');
  await mkdir(scratch, { recursive: true, mode: 0o700 });
  const root = join(path, 'root');
  return { path: root, versions, run: (argv, run) => runInside({ root, scratch }, argv, run) };
}

/** The programs must run on this processor, whatever an image is for. */
function hostArch(): Arch {
  if (process.arch === 'x64') return 'amd64';
  if (process.arch === 'arm64') return 'arm64';
  throw new Fault('TOOL_ROOT_FAILED', `Cannot make a tool root: no Debian tools for the processor ${process.arch}`);
}

async function readVersions(path: string): Promise<Readonly<Record<string, string>> | undefined> {
  const text = await readFile(join(path, 'versions.json'), 'utf8').catch(() => undefined);
  return text === undefined ? undefined : (JSON.parse(text) as Record<string, string>);
}

/** Called with the lock held: whatever else is half made was left by a process that was killed. */
async function make(path: string, options: ToolRootOptions): Promise<void> {
  const { cachePath } = options;
  const leftovers = (await readdir(cachePath)).filter((name) => name.startsWith('tool-root-new-'));
  for (const name of leftovers) await rm(join(cachePath, name), { recursive: true, force: true });
  if ((await readVersions(path)) !== undefined) return;
  await rm(path, { recursive: true, force: true });
  const fresh = join(cachePath, `tool-root-new-${process.pid}`);
  try {
    await fill(fresh, options);
    await rename(fresh, path);
  } catch (cause) {
    options.signal?.throwIfAborted();
    const hint = 'Needed are root, the package mmdebstrap, 400 MB of disk and a mirror that carries Debian 13';
    throw new Fault('TOOL_ROOT_FAILED', 'Cannot make the tool root', { cause, hint });
  } finally {
    await rm(fresh, { recursive: true, force: true });
  }
}

async function fill(fresh: string, options: ToolRootOptions): Promise<void> {
  const { log, signal } = options;
  const apt = { ...options, suite, arch: hostArch() };
  const locked = await resolvePackages({ ...apt, packages });
  log?.(`tool root: ${locked.length} packages of Debian 13`);
  const debs = await downloadPackages(locked, join(fresh, 'debs'), apt);
  await writeDebRepository(debs, join(fresh, 'debs'), { suite, signal });
  const argv = ['unshare', '--mount', '--pid', '--net', '--fork', '--kill-child', '--mount-proc', '--', 'mmdebstrap'];
  const names = locked.map((one) => one.name).join(',');
  const settings = ['force-unsafe-io', ...excluded.map((one) => `path-exclude=${one}`)].map(
    (one) => `--dpkgopt=${one}`,
  );
  const source = `deb [trusted=yes] copy:${join(fresh, 'debs')} ./`;
  const variant = ['--mode=root', '--variant=custom', '--format=directory', '--skip=check/qemu', `--include=${names}`];
  await runProgram([...argv, ...variant, ...settings, suite, join(fresh, 'root'), source], common({ ...options }));
  await rm(join(fresh, 'debs'), { recursive: true });
  const versions = Object.fromEntries(locked.map(({ name, version }) => [name, version]));
  await writeFile(join(fresh, 'versions.json'), JSON.stringify(versions, null, 1));
}

function runInside(
  place: { readonly root: string; readonly scratch: string },
  argv: readonly string[],
  { cwd = '/', env = {}, mounts = [], log, signal, failure }: ToolRunOptions = {},
): Promise<string> {
  const script = fileURLToPath(new URL('enter-root.sh', import.meta.url));
  const binds = mounts.flatMap((one) => [one.readonly ? 'bind-ro' : 'bind', one.source, one.target]);
  const namespaces = [
    '--mount',
    '--pid',
    '--net',
    '--ipc',
    '--uts',
    '--fork',
    '--kill-child',
    '--propagation',
    'private',
  ];
  const call = ['unshare', ...namespaces, '--', 'sh', script, place.root, place.scratch, cwd, ...binds, '--', ...argv];
  return runProgram(call, {
    env: { ...plainEnvironment, ...env },
    failure: failure ?? { code: 'PROGRAM_FAILED', message: `Cannot run ${argv[0]} in the tool root` },
    ...(log && { log }),
    ...(signal && { signal }),
  });
}
