import { posix } from 'node:path';
import type { Readable } from 'node:stream';
import { extract, type Header } from 'tar-stream';
import { Fault } from '#bundle/fault.ts';

export interface TarLimits {
  /** Of the whole archive, unpacked. Default: 16 GiB. */
  readonly limitBytes?: number;
  /** Default: 1,000,000. */
  readonly limitEntries?: number;
}

const pathLimit = 4096;
const depthLimit = 100;

/**
 * Passes a tar on, chunk by chunk, after every entry that begins in the chunk was looked at: nothing reaches the program
 * that unpacks it from an entry that climbs out, leads through a link, is a device, or is one too many.
 * @throws Fault `ARCHIVE_REFUSED`, `ARCHIVE_INVALID`
 */
export async function* checkedTar(
  chunks: AsyncIterable<Buffer>,
  { limitBytes = 16 * 1024 ** 3, limitEntries = 1_000_000 }: TarLimits = {},
): AsyncGenerator<Buffer> {
  const reader = openReader(limitEntries);
  let sizeBytes = 0;
  for await (const chunk of chunks) {
    sizeBytes += chunk.length;
    if (sizeBytes > limitBytes) throw refused(`it has more than ${limitBytes} bytes`);
    await reader.read(chunk);
    yield chunk;
  }
  await reader.end();
}

/** What of tar-stream's reader is used. */
interface Parser {
  on(event: 'entry', listener: (header: Header, stream: Readable, next: () => void) => void): void;
  on(event: 'finish' | 'close', listener: () => void): void;
  on(event: 'error', listener: (error: Error) => void): void;
  once(event: 'drain', listener: () => void): void;
  write(chunk: Buffer): void;
  end(): void;
}

function openReader(limitEntries: number) {
  // With one byte as its mark each write is followed by a `drain`, once all of it was parsed.
  const parser = extract({ highWaterMark: 1 } as never) as unknown as Parser;
  const seen = { files: new Set<string>(), links: new Set<string>() };
  let failed: Fault | undefined;
  let entries = 0;
  parser.on('entry', (header, stream, next) => {
    entries++;
    failed ??= entries > limitEntries ? refused(`it has more than ${limitEntries} entries`) : problemOf(header, seen);
    stream.on('end', next);
    // The parser itself tells of it, too.
    stream.on('error', () => undefined);
    stream.resume();
  });
  const ended = new Promise<void>((resolve) => {
    parser.on('finish', resolve);
    parser.on('close', resolve);
    parser.on('error', (error: Error) => {
      failed ??= invalid(error.message);
      resolve();
    });
  });
  return {
    async read(chunk: Buffer): Promise<void> {
      const taken = new Promise<void>((resolve) => parser.once('drain', resolve));
      parser.write(chunk);
      await Promise.race([taken, ended]);
      if (failed) throw failed;
    },
    async end(): Promise<void> {
      parser.end();
      await ended;
      if (failed) throw failed;
      if (entries === 0) throw invalid('it is empty');
    },
  };
}

interface Seen {
  readonly files: Set<string>;
  readonly links: Set<string>;
}

/** What is wrong with an entry, after those before it. */
function problemOf({ name, type, linkname, size }: Header, seen: Seen): Fault | undefined {
  const path = plainPath(name);
  const shown = JSON.stringify(name.slice(0, 100));
  if (path === undefined) return refused(`the name ${shown} leads out of it`);
  if (name.length > pathLimit || path.split('/').length > depthLimit) return refused(`the name ${shown} is too long`);
  if (!Number.isSafeInteger(size ?? 0) || (size ?? 0) < 0) return invalid(`${shown} has no size`);
  if (leadsThrough(path, seen.links)) return refused(`${shown} leads through a link`);
  switch (type) {
    case 'directory':
      return seen.links.has(path) ? refused(`${shown} is a link, too`) : undefined;
    case 'file':
    case 'contiguous-file':
      seen.links.delete(path);
      seen.files.add(path);
      return path === '.' ? refused(`${shown} is no name of a file`) : undefined;
    case 'symlink':
      seen.files.delete(path);
      seen.links.add(path);
      return path === '.' || !linkname ? refused(`${shown} is no link that can be made`) : undefined;
    case 'link': {
      const target = plainPath(linkname ?? '');
      if (target !== undefined && path !== '.' && seen.files.has(target)) {
        seen.files.add(path);
        return undefined;
      }
      return refused(`${shown} is a hard link to what is no file of it`);
    }
    default:
      return refused(`${shown} is a ${type ?? 'thing of an unknown type'}`);
  }
}

/** Without `./`; undefined where it climbs, is absolute, or could be read in two ways. */
function plainPath(name: string): string | undefined {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  if (name === '' || name.startsWith('/') || /[\u0000-\u001f\u007f]/.test(name)) return undefined;
  if (name.split('/').includes('..')) return undefined;
  return posix.normalize(name).replace(/\/$/, '');
}

function leadsThrough(path: string, links: ReadonlySet<string>): boolean {
  const steps = path.split('/');
  return steps.some((_, index) => index > 0 && links.has(steps.slice(0, index).join('/')));
}

const hint =
  'Whoever made this archive meant harm, or it was damaged: take another version, and tell where it came from';

function refused(reason: string): Fault {
  return new Fault('ARCHIVE_REFUSED', `Cannot unpack the archive: ${reason}`, { hint, retry: 'stalled' });
}

function invalid(reason: string): Fault {
  return new Fault('ARCHIVE_INVALID', `Cannot read the archive: ${reason}`, { hint, retry: 'stalled' });
}
