import { existsSync } from 'node:fs';
import { chmod, lchown, lstat, mkdir, realpath, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Fault } from '#bundle/fault.ts';
import type { SourceFileDefinition } from '../definition/image.ts';
import { type AptOptions, common } from './apt-directory.ts';
import { runInSandbox } from './sandbox.ts';
import type { SourceFile } from './source.ts';
import type { ToolRoot } from './tool-root.ts';

/** A file that the command finds in its directory. */
export interface CommandInput {
  /** Relative to the command's directory. */
  readonly path: string;
  readonly isExecutable: boolean;
  readonly bytes: () => Promise<Uint8Array>;
}

export interface CommandOptions extends Pick<AptOptions, 'log' | 'signal'> {
  readonly command: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly inputs: readonly CommandInput[];
  /** What it must have made; `origin.path` is a path in its directory. */
  readonly files: readonly SourceFileDefinition[];
  readonly network: boolean;
  readonly timeoutMs: number;
  /** Whether this machine runs commands of a commit at all. */
  readonly isAllowed: boolean;
  /** Directories of this machine that it does not see: state, keys. */
  readonly hidden: readonly string[];
  readonly toolRoot: ToolRoot;
  /** The caller removes it. */
  readonly workPath: string;
}

/** The files of this program that the bytes of such an image depend on. @see recipeOf */
export const commandRecipe = ['command', 'sandbox'] as const;

/** The user and group "nobody": they own nothing. */
const nobody = 65_534;

/**
 * Runs a program of this machine that makes an image's files: as nobody, in a directory of its own, the rest of the
 * machine read-only, homes, sockets and state out of sight, without network unless asked.
 * @throws Fault `COMMAND_NOT_ALLOWED`, `COMMAND_FAILED` with the last lines that it said, `OUTPUT_MISSING`
 */
export async function obtainCommand(options: CommandOptions): Promise<readonly SourceFile[]> {
  if (!options.isAllowed) {
    const message = `Cannot run ${options.command[0]}: this machine runs no commands of a commit`;
    const hint = 'Who runs this machine allows it with sources: { commands: true } in its own boot.config.yaml';
    throw new Fault('COMMAND_NOT_ALLOWED', message, { hint, retry: 'stalled' });
  }
  const place = join(options.workPath, 'command');
  await layOut(place, options.inputs);
  await run(place, options);
  const found: SourceFile[] = [];
  for (const { name, role, origin } of options.files) {
    found.push({ name, role, path: await outputOf(origin.kind === 'path' ? origin.path : '', place) });
  }
  return found;
}

async function layOut(place: string, inputs: readonly CommandInput[]): Promise<void> {
  const folders = new Set([place]);
  await mkdir(place);
  for (const { path, isExecutable, bytes } of inputs) {
    const target = join(place, path);
    await mkdir(dirname(target), { recursive: true });
    for (let at = dirname(target); at.startsWith(place); at = dirname(at)) folders.add(at);
    await writeFile(target, await bytes(), { flag: 'wx' });
    await chmod(target, isExecutable ? 0o755 : 0o644);
    await lchown(target, nobody, nobody);
  }
  for (const folder of folders) await lchown(folder, nobody, nobody);
}

async function run(place: string, options: CommandOptions): Promise<void> {
  const { command, environment, network, timeoutMs, hidden, toolRoot } = options;
  const unseen = ['/run', '/tmp', '/var/tmp', '/root', '/home', ...hidden].filter((path) => existsSync(path));
  const covered = unseen.flatMap((path) => ['--tmpfs', path]);
  const here = '/tmp/build';
  const resolver = network ? ['--ro-bind-try', '/run/systemd/resolve', '/run/systemd/resolve'] : [];
  const identity = [
    `--reuid=${nobody}`,
    `--regid=${nobody}`,
    '--clear-groups',
    '--inh-caps=-all',
    '--bounding-set=-all',
  ];
  await runInSandbox(toolRoot, ['setpriv', ...identity, '--', ...command], {
    view: [
      ...['--ro-bind', '/', '/', '--proc', '/proc', '--dev', '/dev'],
      ...covered,
      ...resolver,
      ...['--bind', place, here, '--chdir', here],
    ],
    // To become nobody, who has none.
    capabilities: ['SETUID', 'SETGID', 'SETPCAP'],
    network,
    env: { HOME: '/tmp', SOURCE_DATE_EPOCH: '0', ...environment },
    timeoutMs,
    failure: {
      code: 'COMMAND_FAILED',
      message: `Cannot build the image: ${command[0]} failed`,
      hint: network
        ? 'Read what it said last; it runs as nobody, in a directory with nothing but its inputs'
        : 'Read what it said last; it runs as nobody, in a directory with nothing but its inputs, without network unless network: true',
    },
    ...common(options),
  });
}

/** A link would have this process, which sees more than the command did, read whatever it points to. */
async function outputOf(path: string, place: string): Promise<string> {
  const file = join(place, path);
  const stats = await lstat(file).catch(() => undefined);
  const real = stats?.isFile() ? await realpath(file) : '';
  if (real === join(await realpath(place), path)) return real;
  const message = `Cannot use ${path}: the command has made no such regular file`;
  throw new Fault('OUTPUT_MISSING', message, {
    hint: 'Write the files of source.command.outputs below the directory that the command starts in',
    retry: 'stalled',
  });
}
