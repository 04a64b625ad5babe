import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { Fault } from '#bundle/fault.ts';
import { checkedTar, type TarLimits } from './checked-tar.ts';
import { plainEnvironment } from './program.ts';

/**
 * Unpacks the files of one Debian package into a directory, each entry looked at before it is written.
 * @throws Fault `PACKAGE_UNREADABLE`, those of {@link checkedTar}
 */
export async function unpackPackage(
  deb: { readonly name: string; readonly path: string },
  directory: string,
  { signal, ...limits }: TarLimits & { readonly signal?: AbortSignal },
): Promise<void> {
  const settings = { env: plainEnvironment, ...(signal && { signal }) };
  const source = spawn('dpkg-deb', ['--fsys-tarfile', deb.path], { ...settings, stdio: ['ignore', 'pipe', 'pipe'] });
  const argv = [
    '--extract',
    '--preserve-permissions',
    '--warning=no-timestamp',
    `--directory=${directory}`,
    '--file=-',
  ];
  const target = spawn('tar', argv, { ...settings, stdio: ['pipe', 'ignore', 'pipe'] });
  const ends = [endOf(source, 'dpkg-deb'), endOf(target, 'tar')];
  // Awaited below, whichever of them fails first.
  for (const end of ends) end.catch(() => undefined);
  try {
    await pipeline(
      source.stdout as Readable,
      (chunks: AsyncIterable<Buffer>) => checkedTar(chunks, limits),
      target.stdin as Writable,
    );
    await Promise.all(ends);
  } catch (error) {
    signal?.throwIfAborted();
    for (const child of [source, target]) child.kill('SIGKILL');
    throw named(error, deb.name);
  } finally {
    await Promise.allSettled(ends);
  }
}

/** @throws Error with what it said */
async function endOf(child: ChildProcess, name: string): Promise<void> {
  let said = '';
  child.stderr?.on('data', (chunk) => {
    if (said.length < 2000) said += chunk;
  });
  const ended = await once(child, 'close').catch((cause) => {
    throw new Error(`${name} did not start`, { cause });
  });
  if (ended[0] !== 0) throw new Error(`${name} ended with ${ended[0] ?? ended[1]}: ${said.trim()}`);
}

function named(error: unknown, name: string): Fault {
  if (error instanceof Fault && error.code.startsWith('ARCHIVE_')) {
    const { code, hint, retry } = error;
    return new Fault(code, `${error.message} (package ${name})`, { retry, ...(hint !== undefined && { hint }) });
  }
  const hint = 'The package is damaged, or the disk is full: delete it from the store, and build again';
  return new Fault('PACKAGE_UNREADABLE', `Cannot unpack ${name}`, { cause: error, hint });
}
