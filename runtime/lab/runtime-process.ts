import { type ChildProcess, spawn } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Fault } from '#bundle/fault.ts';
import { programPath } from '../program.ts';
import { inside, type LabNetwork } from './network.ts';

export interface RuntimeProcessOptions {
  readonly network: LabNetwork;
  readonly statePath: string;
  /** Path of `boot.config.yaml`. */
  readonly configPath: string;
  /** Settings laid over the file's; see `overlay.ts`. */
  readonly overlay: object;
}

/** `boottorrent run` in the server's namespace, its log in `runtime.log` of the state directory. */
export interface RuntimeProcess {
  readonly pid: number;
  readonly logPath: string;
  /** Resolves when it has ended, however that came. */
  readonly ended: Promise<void>;
  /** SIGTERM, or another signal; resolves when it is gone. */
  stop(signal?: NodeJS.Signals): Promise<void>;
}

export async function startRuntime(options: RuntimeProcessOptions): Promise<RuntimeProcess> {
  const { network, statePath, configPath } = options;
  const overlayPath = join(statePath, 'overlay.json');
  await writeFile(overlayPath, JSON.stringify(options.overlay, null, 1));
  const place = ['--config', configPath, '--state', statePath, '--overlay', overlayPath];
  // The lab's network has no way out; images are built where this process is, which can reach a mirror.
  const builder = ['--builder-netns', `/proc/${process.pid}/ns/net`];
  const run = [process.execPath, programPath, 'run', ...place, ...builder];
  // The server's namespace has no way out: builds run in the lab's own, which has.
  const argv = inside(network.server, [...run, '--builder-netns', `/proc/${process.pid}/ns/net`]);
  const logPath = join(statePath, 'runtime.log');
  const child = spawn(argv[0] as string, argv.slice(1), { stdio: ['ignore', 'pipe', 'pipe'] });
  const file = createWriteStream(logPath, { flags: 'a' });
  child.stdout.pipe(file, { end: false });
  child.stderr.pipe(file, { end: false });
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  await spawned(child);
  return { pid: child.pid as number, logPath, ended, stop: (signal = 'SIGTERM') => stop(child, { signal, ended }) };
}

function spawned(child: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    child.once('spawn', resolve);
    child.once('error', (cause) => reject(new Fault('LAB_COMMAND_FAILED', 'Cannot start the runtime', { cause })));
  });
}

async function stop(child: ChildProcess, end: { signal: NodeJS.Signals; ended: Promise<void> }): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) child.kill(end.signal);
  const late = setTimeout(() => child.kill('SIGKILL'), 10_000);
  await end.ended;
  clearTimeout(late);
}
