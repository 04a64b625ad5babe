import { Fault } from '#bundle/fault.ts';

/** What the system says of files (errno(3)), in words, and what can be done. */
const meanings: Readonly<Record<string, readonly [code: string, meaning: string, hint: string]>> = {
  ENOSPC: ['DISK_FULL', 'the disk is full', 'Free space there, perhaps by "boottorrent gc", and try again'],
  EDQUOT: ['DISK_FULL', 'the quota is used up', 'Free space there, perhaps by "boottorrent gc", or raise the quota'],
  EIO: ['DISK_FAILED', 'the disk gives an error', 'Look into the kernel’s log (dmesg): the disk may be about to fail'],
  EROFS: [
    'DISK_READ_ONLY',
    'the disk is read-only',
    'Mount it for writing; the kernel’s log (dmesg) says why it is not',
  ],
  EMFILE: [
    'FILES_OPEN',
    'too many files are open',
    'Raise the limit of open files (ulimit -n, LimitNOFILE=), and try again',
  ],
  ENFILE: ['FILES_OPEN', 'too many files are open on this host', 'Raise fs.file-max, or end what has so many open'],
  EACCES: ['FILE_DENIED', 'permission is denied', 'Run this as the user that the directory belongs to'],
  EPERM: ['FILE_DENIED', 'the operation is not permitted', 'Run this as the user that the directory belongs to'],
};

/** What Node says of a directory that it could not make with its parents, whatever the reason was. */
const notMade = [
  'DISK_FAILED',
  'the directory cannot be made',
  'Look for a full, failing or read-only disk there',
] as const;

/**
 * The fault that an error of the operating system stands for: it names a path and what can be done. Anything else is
 * given back as it is.
 * @param path what was written to, where the error does not say it
 */
export function asDiskFault(error: unknown, path: string): unknown {
  if (!(error instanceof Error) || error instanceof Fault || !('syscall' in error) || !('code' in error)) return error;
  const [code, meaning, hint] = isMkdir(error) ? notMade : (meanings[String(error.code)] ?? []);
  if (code === undefined || hint === undefined) return error;
  const named = 'path' in error && typeof error.path === 'string' ? error.path : path;
  return new Fault(code, `Cannot use ${named}: ${meaning} (${error.syscall}: ${error.code})`, { hint });
}

function isMkdir(error: Error & { code: unknown; syscall: unknown }): boolean {
  return error.code === 'ENOENT' && error.syscall === 'mkdir';
}

/** An object whose functions throw faults for the disk's errors. */
export function withDiskFaults<T extends object>(object: T, path: string): T {
  const guarded = Object.entries(object).map(([name, value]) => {
    if (typeof value !== 'function') return [name, value];
    const call = (...argv: unknown[]) => {
      const result: unknown = value(...argv);
      if (!(result instanceof Promise)) return result;
      return result.catch((error: unknown) => {
        throw asDiskFault(error, path);
      });
    };
    return [name, call];
  });
  return Object.fromEntries(guarded) as T;
}
