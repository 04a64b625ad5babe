import type { Remote } from './remote.ts';

/** One at a time, no question to anybody, and an end when the other side is silent. */
const sshCommand = [
  'ssh -oBatchMode=yes -oConnectTimeout=10 -oServerAliveInterval=5 -oServerAliveCountMax=3',
  '-oControlMaster=no -oControlPath=none -oForwardAgent=no -oClearAllForwardings=yes -oPermitLocalCommand=no',
].join(' ');

/**
 * The only configuration that git reads here, for this process and for the one that it starts in a local remote:
 * no hook or command of anybody's, no transport but the wanted one, no check of ownership for a repository that the
 * operator named, and an end to a connection that hangs. Every fetch stays one pack, so that one limit holds for it, and is
 * hashed without being held in memory.
 */
export function guards(remote: Remote): string {
  const quoted = (text: string) => JSON.stringify(text);
  const owned = remote.local ? [remote.address, remote.local.gitPath, remote.local.commonPath] : [];
  return [
    '[safe]',
    ...owned.map((path) => `directory = ${quoted(path)}`),
    '[protocol]',
    'allow = never',
    ...(remote.local ? ['file'] : ['https', 'ssh']).flatMap((name) => [`[protocol "${name}"]`, 'allow = always']),
    '[core]',
    'hooksPath = /dev/null',
    'fsmonitor = false',
    'symlinks = false',
    `sshCommand = ${sshCommand}`,
    'bigFileThreshold = 1m',
    '[fetch]',
    'fsckObjects = true',
    'recurseSubmodules = false',
    'unpackLimit = 1',
    '[transfer]',
    'bundleURI = false',
    '[pack]',
    'threads = 1',
    '[gc]',
    'auto = 0',
    '[maintenance]',
    'auto = false',
    '[http]',
    'lowSpeedLimit = 1',
    'lowSpeedTime = 10',
    'followRedirects = initial',
    '',
  ].join('\n');
}

const kept = ['PATH', 'HOME', 'SSH_AUTH_SOCK', 'https_proxy', 'HTTPS_PROXY', 'no_proxy', 'NO_PROXY'];

/**
 * Nothing of the caller's environment but what a transport needs. Which transports there are is said here too: the configuration of
 * a local repository wins over ours in the git that serves it, but not over this.
 */
export function gitEnvironment(
  environment: Readonly<Record<string, string | undefined>>,
  { configPath, remote }: { readonly configPath: string; readonly remote: Remote },
): Readonly<Record<string, string>> {
  const passed = kept.flatMap((key) => {
    const value = environment[key];
    return value ? [[key, value] as const] : [];
  });
  const fixed = { GIT_CONFIG_NOSYSTEM: '1', GIT_CONFIG_GLOBAL: configPath, GIT_TERMINAL_PROMPT: '0', LC_ALL: 'C' };
  const closed = { GIT_ALLOW_PROTOCOL: remote.local ? 'file' : 'https:ssh', GIT_NO_LAZY_FETCH: '1' };
  return { ...Object.fromEntries(passed), ...fixed, ...closed, GIT_NO_REPLACE_OBJECTS: '1', GIT_ATTR_NOSYSTEM: '1' };
}
