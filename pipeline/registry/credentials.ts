import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Fault } from '#bundle/fault.ts';

/** What a registry is told to know who asks. Never shown in a message. */
export interface Credentials {
  readonly user: string;
  readonly password: string;
}

export interface CredentialsOptions {
  /** Host and port as in the reference. */
  readonly registry: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** A file in the form of Docker's `config.json`, which is asked first. */
  readonly path?: string;
  /**
   * Whether `BOOTTORRENT_REGISTRY_USER` and `…_PASSWORD` are for this registry. They are for the site's own store alone:
   * a registry that a commit names must not get them. Default: false
   */
  readonly isStore?: boolean;
}

/**
 * What is known for this registry and no other: the environment, the given file, then Docker's or Podman's own file.
 * @returns undefined: ask without
 * @throws Fault `REGISTRY_CREDENTIALS_INVALID` when the given file cannot be read
 */
export async function readCredentials(options: CredentialsOptions): Promise<Credentials | undefined> {
  const { registry, environment, path, isStore = false } = options;
  const { BOOTTORRENT_REGISTRY_USER: user, BOOTTORRENT_REGISTRY_PASSWORD: password } = environment;
  if (isStore && user && password) return { user, password };
  if (path !== undefined) return findCredentials(await readAuthFile(path), registry, path);
  const usual = usualPath(environment);
  const text = usual === undefined ? undefined : await readFile(usual, 'utf8').catch(() => undefined);
  return text === undefined ? undefined : findCredentials(text, registry, usual ?? '');
}

/** Where `docker login` and `podman login` write. */
function usualPath(environment: CredentialsOptions['environment']): string | undefined {
  const { REGISTRY_AUTH_FILE, DOCKER_CONFIG, HOME } = environment;
  if (REGISTRY_AUTH_FILE) return REGISTRY_AUTH_FILE;
  if (DOCKER_CONFIG) return join(DOCKER_CONFIG, 'config.json');
  return HOME ? join(HOME, '.docker', 'config.json') : undefined;
}

async function readAuthFile(path: string): Promise<string> {
  return readFile(path, 'utf8').catch((cause) => {
    throw invalid(path, cause.code === 'ENOENT' ? 'there is no such file' : String(cause.code));
  });
}

/**
 * The entry of a registry in the text of Docker's `config.json`.
 * @throws Fault `REGISTRY_CREDENTIALS_INVALID`
 */
export function findCredentials(text: string, registry: string, path: string): Credentials | undefined {
  const names = registry === 'docker.io' ? ['docker.io', 'https://index.docker.io/v1/', 'index.docker.io'] : [registry];
  const auths = (parseObject(text, path) as { auths?: unknown }).auths;
  if (typeof auths !== 'object' || auths === null) return undefined;
  const entries = new Map(Object.entries(auths));
  const entry: unknown = names
    .flatMap((name) => [name, `https://${name}`, `http://${name}`])
    .map((name) => entries.get(name))
    .find((one) => one !== undefined);
  if (typeof entry !== 'object' || entry === null) return undefined;
  const { auth, username, password } = entry as Record<string, unknown>;
  if (typeof username === 'string' && typeof password === 'string') return { user: username, password };
  if (typeof auth !== 'string') return undefined;
  const plain = Buffer.from(auth, 'base64').toString();
  const colon = plain.indexOf(':');
  if (colon < 1) throw invalid(path, `the entry of ${registry} is not the base64 of user:password`);
  return { user: plain.slice(0, colon), password: plain.slice(colon + 1) };
}

function parseObject(text: string, path: string): object {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null) return value;
  } catch {
    // Not as the cause: the message of JSON.parse quotes the text.
  }
  throw invalid(path, 'it is no JSON object');
}

function invalid(path: string, reason: string): Fault {
  return new Fault('REGISTRY_CREDENTIALS_INVALID', `Cannot read the registry credentials ${path}: ${reason}`, {
    hint: 'Write it as "docker login" or "podman login --authfile" does, readable by this user',
    retry: 'stalled',
  });
}
