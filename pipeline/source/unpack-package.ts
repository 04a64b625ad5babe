import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { Fault } from '#bundle/fault.ts';
import { checkedTar, type TarLimits } from './checked-tar.ts';
import { plainEnvironment, runProgram } from './program.ts';

interface Package {
  readonly name: string;
  readonly path: string;
}

/**
 * Unpacks the files of one Debian package into a directory, after every entry was looked at: of a package that is
 * refused nothing is written.
 * @throws Fault `PACKAGE_UNREADABLE`, those of {@link checkedTar}
 */
export async function unpackPackage(
  deb: Package,
  directory: string,
  options: TarLimits & { readonly signal?: AbortSignal },
): Promise<void> {
  await checkPackage(deb, options);
  const { signal } = options;
  const failure = { code: 'PACKAGE_UNREADABLE', message: `Cannot unpack ${deb.name}`, hint };
  await runProgram(['dpkg-deb', '--extract', deb.path, directory], { failure, ...(signal && { signal }) });
}

const hint = 'The package is damaged, or the disk is full: delete it from the store, and build again';

async function checkPackage(
  { name, path }: Package,
  { signal, ...limits }: TarLimits & { readonly signal?: AbortSignal },
): Promise<void> {
  const settings = { env: plainEnvironment, ...(signal && { signal }) };
  const child = spawn('dpkg-deb', ['--fsys-tarfile', path], { ...settings, stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  child.stderr.on('data', (chunk) => {
    if (said.length < 2000) said += chunk;
  });
  const closed = once(child, 'close');
  // Awaited below, whichever fails first.
  closed.catch(() => undefined);
  try {
    for await (const _ of checkedTar(child.stdout, limits)) signal?.throwIfAborted();
    const [status] = await closed;
    if (status !== 0) throw new Error(`dpkg-deb ended with ${status}: ${said.trim()}`);
  } catch (error) {
    signal?.throwIfAborted();
    child.kill('SIGKILL');
    throw named(error, name);
  } finally {
    await closed.catch(() => undefined);
  }
}

function named(error: unknown, name: string): Fault {
  if (error instanceof Fault && error.code.startsWith('ARCHIVE_')) {
    const { code, message, hint, retry } = error;
    return new Fault(code, `${message} (package ${name})`, { retry, ...(hint !== undefined && { hint }) });
  }
  return new Fault('PACKAGE_UNREADABLE', `Cannot unpack ${name}`, { cause: error, hint });
}
