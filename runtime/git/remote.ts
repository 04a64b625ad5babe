import { readFile, stat } from 'node:fs/promises';
import { dirname, isAbsolute, join, resolve } from 'node:path';
import { Fault } from '#bundle/fault.ts';

/** Where the definitions come from. */
export interface Remote {
  /** What git is given: an absolute path, or an https or ssh address. */
  readonly address: string;
  /** Set for a repository on this machine. */
  readonly local?: LocalRepository;
}

/** The folders of a local repository in which a commit, a checkout or a push shows. */
export interface LocalRepository {
  /** Holds this worktree's HEAD. */
  readonly gitPath: string;
  /** Holds refs/ and packed-refs; the same as `gitPath` but in an added worktree. */
  readonly commonPath: string;
}

/**
 * Reads `git.remote` of the site: `.` is the repository that holds the file, another path is relative to the file's
 * folder, an address must be https or ssh (git knows transports that run any command).
 * @throws Fault `CONFIG_INVALID` or `GIT_UNREACHABLE`
 */
export async function parseRemote(remote: string, configPath: string): Promise<Remote> {
  const folder = dirname(resolve(configPath));
  if (remote === '.') return localRemote(await enclosingRepository(folder));
  if (/^(https|ssh):\/\/[^\s-]\S*$/.test(remote)) return { address: remote };
  if (/^[\w.-]+@[\w.-]+:(?!\/\/)\S+$/.test(remote)) return { address: remote };
  const path = remote.startsWith('file:///') ? remote.slice('file://'.length) : remote;
  if (/^[a-z][a-z0-9+.-]*:/i.test(path) || path.startsWith('-')) {
    throw new Fault('CONFIG_INVALID', `Cannot follow ${withoutSecrets(remote)}: it is neither https, ssh nor a path`, {
      hint: 'Set git.remote in boot.config.yaml to "." or to an address that begins with https:// or ssh://',
      retry: 'stalled',
    });
  }
  return localRemote(isAbsolute(path) ? path : join(folder, path));
}

/** Leaves out user names, passwords and tokens of addresses. */
export function withoutSecrets(text: string): string {
  return text.replace(/:\/\/[^/@\s]+@/g, '://***@');
}

async function localRemote(path: string): Promise<Remote> {
  const inner = join(path, '.git');
  const found = await stat(inner).catch(() => undefined);
  if (found?.isDirectory()) return { address: path, local: { gitPath: inner, commonPath: inner } };
  if (found?.isFile()) return { address: path, local: await worktree(path, inner) };
  if (await exists(join(path, 'HEAD'))) return { address: path, local: { gitPath: path, commonPath: path } };
  throw new Fault('GIT_UNREACHABLE', `Cannot follow ${path}: there is no git repository`, {
    hint: 'Make one with "git init", or set git.remote in boot.config.yaml',
  });
}

/** In an added worktree `.git` is a file that names the real folder, whose `commondir` names the one with the refs. */
async function worktree(path: string, file: string): Promise<LocalRepository> {
  const named = (await readFile(file, 'utf8')).replace(/^gitdir: /, '').trim();
  const gitPath = resolve(path, named);
  const common = await readFile(join(gitPath, 'commondir'), 'utf8').catch(() => '.');
  return { gitPath, commonPath: resolve(gitPath, common.trim()) };
}

async function enclosingRepository(folder: string): Promise<string> {
  for (let path = folder; ; path = dirname(path)) {
    if (await exists(join(path, '.git'))) return path;
    if (path === dirname(path)) return folder;
  }
}

function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
