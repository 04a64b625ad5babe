import { createHash } from 'node:crypto';
import { mkdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Arch } from '#bundle/manifest.ts';
import { chooseMirror, type Mirror, snapshotMirror } from './apt-mirror.ts';
import { withFileLock } from './file-lock.ts';
import { plainEnvironment, runProgram } from './program.ts';
import type { LogLine } from './source.ts';

export interface AptOptions {
  readonly suite: string;
  /** A moment of snapshot.debian.org: its archives are used then, whatever `mirror` says. */
  readonly snapshot?: string;
  readonly arch: Arch;
  /** Where the private apt directories are kept. */
  readonly cachePath: string;
  /** Root URI of the Debian archive. Default: the mirror of this host, else Debian's. */
  readonly mirror?: string;
  readonly log?: LogLine;
  readonly signal?: AbortSignal;
}

/** apt with sources, lists and an empty dpkg status of its own: what this host has installed or pinned plays no part. */
export interface AptDirectory {
  readonly mirror: Mirror;
  /** To be added to the environment of apt's programs. */
  readonly env: Readonly<Record<string, string>>;
}

const keyring = '/usr/share/keyrings/debian-archive-keyring.gpg';
/** Package lists younger than this are not asked for again: one build resolves several lists in a row. */
const freshMs = 10 * 60_000;

/** Opens the private apt directory of one suite, architecture and mirror, with fresh lists. @throws Fault `APT_FAILED` */
export async function openAptDirectory(options: AptOptions): Promise<AptDirectory> {
  const { suite, snapshot, arch, cachePath, log, signal } = options;
  const mirror =
    snapshot === undefined ? await chooseMirror(options.mirror, signal ? { signal } : {}) : snapshotMirror(snapshot);
  const sources = formatSources(suite, { mirror, isSnapshot: snapshot !== undefined });
  const name = createHash('sha256').update(`${arch}\n${sources}`).digest('hex').slice(0, 16);
  const path = join(cachePath, `apt-${suite}-${arch}-${name}`);
  const env = { ...plainEnvironment, ...proxies(), APT_CONFIG: join(path, 'apt.conf') };
  const update = async (): Promise<void> => {
    await writeConfiguration(path, { arch, sources });
    if (await isFresh(join(path, 'updated'))) return;
    log?.(`apt: package lists of ${suite} from ${mirror.debian}`);
    await runProgram(['apt-get', 'update', '--error-on=any'], {
      env,
      failure: updateFailure(suite),
      ...common(options),
    });
    await writeFile(join(path, 'updated'), '');
  };
  await withFileLock(join(path, 'lock'), update, signal);
  return { mirror, env };
}

/** The options of `runProgram` that every caller of apt hands on. */
export function common(options: Pick<AptOptions, 'log' | 'signal'>): { log?: LogLine; signal?: AbortSignal } {
  const { log, signal } = options;
  return { ...(log && { log }), ...(signal && { signal }) };
}

/** The one thing that is taken from this process's environment: without it some hosts reach no mirror at all. */
function proxies(): Readonly<Record<string, string>> {
  const names = ['http_proxy', 'https_proxy', 'no_proxy'];
  return Object.fromEntries(names.flatMap((name) => (process.env[name] ? [[name, process.env[name]] as const] : [])));
}

/** The text of sources.list. What a snapshot says of its own age is past long ago: `check-valid-until=no`. */
export function formatSources(
  suite: string,
  { mirror, isSnapshot }: { readonly mirror: Mirror; readonly isSnapshot: boolean },
): string {
  const options = `signed-by=${keyring}${isSnapshot ? ' check-valid-until=no' : ''}`;
  const line = (uri: string, name: string): string => `deb [${options}] ${uri} ${name} main\n`;
  const released = !['sid', 'unstable', 'experimental'].includes(suite);
  const security = released ? mirror['debian-security'] : undefined;
  return [
    line(mirror.debian, suite),
    released ? line(mirror.debian, `${suite}-updates`) : '',
    security ? line(security, `${suite}-security`) : '',
  ].join('');
}

function updateFailure(suite: string) {
  const hint = 'Check that the mirror in /etc/apt can be reached and carries this suite';
  return { code: 'APT_FAILED', message: `Cannot get the package lists of ${suite}`, hint };
}

async function isFresh(stamp: string): Promise<boolean> {
  const made = await stat(stamp).catch(() => undefined);
  return made !== undefined && Math.abs(Date.now() - made.mtimeMs) < freshMs;
}

/**
 * The file named by APT_CONFIG is read before the host's, so it can turn the host's off: hooks in there would run
 * on the host at each update of ours. What says how to reach a mirror (proxies, certificates) is taken over.
 */
async function writeConfiguration(path: string, { arch, sources }: { arch: Arch; sources: string }): Promise<void> {
  const folders = ['lists/partial', 'cache/archives/partial', 'state', 'none'];
  for (const folder of folders) await mkdir(join(path, folder), { recursive: true, mode: 0o700 });
  const reach = (await runProgram(['apt-config', 'dump']))
    .split('\n')
    .filter((line) => /^Acquire::(http|https|Retries|ForceIPv4|ForceIPv6)\b/i.test(line));
  const settings = {
    'Dir::Etc::main': '/dev/null',
    'Dir::Etc::parts': join(path, 'none'),
    'Dir::Etc::sourcelist': join(path, 'sources.list'),
    'Dir::Etc::sourceparts': join(path, 'none'),
    'Dir::Etc::preferences': '/dev/null',
    'Dir::Etc::preferencesparts': join(path, 'none'),
    'Dir::State': join(path, 'state'),
    'Dir::State::lists': join(path, 'lists'),
    'Dir::State::status': join(path, 'status'),
    'Dir::Cache': join(path, 'cache'),
    'APT::Architecture': arch,
    'APT::Architectures': arch,
    'APT::Install-Recommends': 'false',
    // Otherwise apt counts itself as essential.
    'pkgCacheGen::ForceEssential': ',',
    // apt's own user cannot enter the state directory (0700).
    'APT::Sandbox::User': 'root',
    'Acquire::Languages': 'none',
    'Acquire::ForceHash': 'SHA256',
  };
  const lines = [...reach, ...Object.entries(settings).map(([key, value]) => `${key} "${value}";`)];
  await writeFile(join(path, 'status'), '');
  await writeFile(join(path, 'sources.list'), sources);
  await writeFile(join(path, 'apt.conf'), `${lines.join('\n')}\n`, { mode: 0o600 });
}
