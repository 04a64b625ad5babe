import { Fault } from '#bundle/fault.ts';
import type { ExecStart, execEnds } from '#bundle/start.ts';
import type { Host } from '../host.ts';
import type { Paths } from '../paths.ts';
import type { ExecPhase } from '../phases.ts';
import type { Reporter } from '../reporter.ts';
import { startProgram } from './console-program.ts';
import { type PersonalOptions, personalizeNames } from './personalize.ts';
import { isProgram, mountRoot } from './root.ts';
import { formatSessionFile, type SessionFile } from './session-file.ts';

export interface ExecOptions extends PersonalOptions {
  readonly kernelRelease: string;
  readonly session: SessionFile;
}

const usualPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
const pollMs = 200;
const takenLimitMs = 120_000;

/**
 * The root that the program runs in.
 * @throws Fault `ROOT_UNMOUNTABLE`, `ROOT_UNWRITABLE`
 */
export function loadExec(host: Host, phase: ExecPhase, options: ExecOptions): void {
  mountRoot(host, phase, options);
  host.writeText(`${options.paths.run}/session`, formatSessionFile(options.session));
  personalizeNames(host, options);
}

/**
 * Runs the program to its end, and reports both.
 * @returns what the definition says that comes then
 * @throws Fault `IMAGE_INVALID` when the root has no such program
 */
export function runExec(
  host: Host,
  { start }: ExecPhase,
  { paths, reporter }: { readonly paths: Paths; readonly reporter: Reporter },
): (typeof execEnds)[number] {
  const argv = execArguments(start, findProgram(host, start, paths), paths);
  const program = startProgram(host, argv);
  reporter.report('up');
  for (; program.poll() === undefined; host.sleep(pollMs)) reporter.catchUp();
  const exitStatus = program.poll() ?? 0;
  reporter.report('ended', { exitStatus, output: program.output() });
  reporter.say('ended', `${start.command[0]} ended with ${exitStatus}`);
  if (start.afterwards !== 'stay') waitTaken(host, reporter);
  return start.afterwards;
}

/** Nothing is left of a node that goes: the server may need some time to come back and hear how it ended. */
function waitTaken(host: Host, reporter: Reporter): void {
  const endMs = host.uptimeMs() + takenLimitMs;
  while (!reporter.catchUp() && host.uptimeMs() < endMs) host.sleep(pollMs);
}

/**
 * The program with exactly its environment. By the path that was found: busybox would take an applet of its own where
 * a name is one of them.
 */
export function execArguments(start: ExecStart, program: string, { newRoot, run }: Paths): readonly string[] {
  const variables = Object.entries({ PATH: usualPath, ...start.environment }).map(([key, value]) => `${key}=${value}`);
  return ['chroot', newRoot, `${run}/bin/busybox`, 'env', '-i', ...variables, program, ...start.command.slice(1)];
}

function findProgram(host: Host, { command, environment }: ExecStart, paths: Paths): string {
  const [name = ''] = command;
  const folders = (environment.PATH ?? usualPath).split(':');
  const candidates = name.includes('/') ? [name] : folders.map((folder) => `${folder}/${name}`);
  const found = candidates.find((path) => isProgram(host, path, paths));
  if (found !== undefined) return found;
  throw new Fault('IMAGE_INVALID', `Cannot run ${name}: the image has no such program`, {
    hint: 'Correct exec.command, or add the package that has it',
    retry: 'stalled',
  });
}
