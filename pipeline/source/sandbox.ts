import { lstat, mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Fault } from '#bundle/fault.ts';
import { plainEnvironment, runProgram } from './program.ts';
import type { LogLine } from './source.ts';
import type { ToolRoot } from './tool-root.ts';

export interface SandboxOptions {
  /** What the program may see and change: arguments of bubblewrap, of which the first says what is its `/`. */
  readonly view: readonly string[];
  /** Names without CAP_. */
  readonly capabilities: readonly string[];
  readonly network: boolean;
  /** Added to a plain environment. */
  readonly env: Readonly<Record<string, string>>;
  /** The program is ended after so long. */
  readonly timeoutMs: number;
  readonly log?: LogLine;
  readonly signal?: AbortSignal;
  readonly failure: { readonly code: string; readonly message: string; readonly hint?: string };
}

/**
 * Runs a program that a commit brought, in namespaces of its own with nothing but `view` in sight; it ends with
 * everything that it has started. bubblewrap is that of the tool root, started by that one's own loader.
 * @throws Fault with the code of `failure` and the last lines that the program said
 */
export async function runInSandbox(
  toolRoot: ToolRoot,
  argv: readonly string[],
  { view, capabilities, network, env, timeoutMs, log, signal, failure }: SandboxOptions,
): Promise<void> {
  const limit = AbortSignal.timeout(timeoutMs);
  const either = signal ? AbortSignal.any([signal, limit]) : limit;
  const apart = ['pid', 'ipc', 'uts', 'cgroup-try', ...(network ? [] : ['net'])].map((name) => `--unshare-${name}`);
  const may = capabilities.flatMap((name) => ['--cap-add', `CAP_${name}`]);
  const lives = ['--die-with-parent', '--new-session', ...apart];
  // What a program says is a log, on whichever stream.
  const logged = ['/bin/sh', '-c', 'exec "$@" 1>&2', 'sh', ...argv];
  const call = [
    ...(await bubblewrap(toolRoot)),
    ...lives,
    ...view,
    ...shownReadOnly,
    '--cap-drop',
    'ALL',
    ...may,
    '--',
    ...logged,
  ];
  try {
    await runProgram(call, {
      env: { ...plainEnvironment, ...env },
      signal: either,
      failure,
      ...(log && { log }),
    });
  } catch (cause) {
    signal?.throwIfAborted();
    if (cause !== limit.reason || !limit.aborted) throw cause;
    const message = `${failure.message}: it has not ended within ${timeoutMs / 1000} s`;
    throw new Fault(failure.code, message, {
      hint: 'Give it more time, or find out what it waits for',
      retry: 'stalled',
    });
  }
}

/**
 * The settings of the running kernel look only at who is asking: user 0 may write them without any capability, and
 * bubblewrap leaves them as they are.
 */
const shownReadOnly = [
  ...['--ro-bind', '/proc/sys', '/proc/sys'],
  ...['--ro-bind-try', '/proc/sysrq-trigger', '/proc/sysrq-trigger'],
];

async function bubblewrap(toolRoot: ToolRoot): Promise<readonly string[]> {
  const libraries = join(toolRoot.path, 'usr/lib');
  const machine = (await readdir(libraries)).find((name) => name.endsWith('-linux-gnu')) ?? '';
  const folder = join(libraries, machine);
  const loader = (await readdir(folder)).find((name) => name.startsWith('ld-linux')) ?? '';
  return [join(folder, loader), '--library-path', folder, join(toolRoot.path, 'usr/bin/bwrap')];
}

/**
 * Makes sure that what is mounted into a tree hits the tree: a link in the place of one of these folders would lead the
 * mount to a path of the builder.
 * @throws Fault `TREE_INVALID`
 */
export async function prepareMountPoints(root: string): Promise<void> {
  for (const name of ['proc', 'dev', 'run', 'etc', 'tmp']) {
    const path = join(root, name);
    const found = await lstat(path).catch(() => undefined);
    if (found === undefined) await mkdir(path, { mode: 0o755 });
    else if (!found.isDirectory()) {
      const hint = 'A root filesystem has folders there';
      throw new Fault('TREE_INVALID', `Cannot use the root filesystem: /${name} is no folder`, {
        hint,
        retry: 'stalled',
      });
    }
  }
}
