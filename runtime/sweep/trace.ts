/** System calls that change a file system, as strace names them. */
export const mutatingCalls = [
  ...[
    'openat',
    'write',
    'pwrite64',
    'writev',
    'pwritev',
    'rename',
    'renameat2',
    'link',
    'linkat',
    'symlink',
    'symlinkat',
  ],
  ...[
    'unlink',
    'unlinkat',
    'rmdir',
    'mkdir',
    'mkdirat',
    'ftruncate',
    'truncate',
    'fallocate',
    'copy_file_range',
    'sendfile',
  ],
  ...['fsync', 'fdatasync', 'chmod', 'fchmod', 'fchmodat', 'utimensat'],
] as const;
export type CallName = (typeof mutatingCalls)[number];

/** Where the swept directory is, and the process whose id is in the names of its temporary files. */
export interface Place {
  readonly statePath: string;
  readonly pid: number;
}

/** A call that changes something below the swept directory: where a process can be killed or a disk can be full. */
export interface Point {
  readonly name: CallName;
  /** The first path that it names, with `{pid}` for the process: what strace's `-P` takes. */
  readonly path: string;
  /** Which call of this name on this path it is, from 1: what strace's `when=` counts then. */
  readonly when: number;
}

interface Call {
  readonly name: CallName;
  readonly text: string;
}

/** The mutating calls in a log of strace, in order; the second half of one that was interrupted is not counted again. */
function callsIn(log: string): readonly Call[] {
  return log.split('\n').flatMap((line) => {
    const [, name, text = ''] = /^(?:\d+ +)?([a-z0-9_]+)\((.*)$/.exec(line) ?? [];
    const known = mutatingCalls.find((one) => one === name);
    return known ? [{ name: known, text }] : [];
  });
}

/** The paths of a call below `folder`: of its arguments, or of its descriptors (`strace -y`). */
function pathsOf({ text }: Call, folder: string): readonly string[] {
  const named = [...text.matchAll(/"(\/[^"]*)"|<(\/[^>]*)>/g)].map(
    ([, argument, descriptor]) => argument ?? descriptor,
  );
  // What comes after the arguments is the descriptor that openat returned: the same path again.
  return [...new Set(named)].flatMap((path) => (path?.startsWith(`${folder}/`) ? [path] : []));
}

function isChanging({ name, text }: Call): boolean {
  return name !== 'openat' || /O_(CREAT|TRUNC|WRONLY|RDWR)/.test(text);
}

/** All points of a traced operation, in the order of the calls. */
export function pointsOf(log: string, { statePath, pid }: Place): readonly Point[] {
  const counts = new Map<string, number>();
  return callsIn(log).flatMap((call) => {
    const paths = pathsOf(call, statePath);
    for (const path of paths) counts.set(`${call.name} ${path}`, (counts.get(`${call.name} ${path}`) ?? 0) + 1);
    const [first] = paths;
    if (first === undefined || !isChanging(call)) return [];
    const path = first.slice(statePath.length + 1).replaceAll(`${pid}-`, '{pid}-');
    return [{ name: call.name, path, when: counts.get(`${call.name} ${first}`) ?? 0 }];
  });
}

/** The path of a point in another place. */
export function pathIn({ path }: Point, { statePath, pid }: Place): string {
  return `${statePath}/${path.replaceAll('{pid}', String(pid))}`;
}

/** Whether the log of an injected run, filtered to the path of the point, shows that it was hit. */
export function isHit(log: string, { name, when }: Point): boolean {
  const call = callsIn(log).filter((one) => one.name === name)[when - 1];
  return call !== undefined && isChanging(call);
}
