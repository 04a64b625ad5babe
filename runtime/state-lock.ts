import { createHash } from 'node:crypto';
import { chmod, mkdir, readFile, realpath, writeFile } from 'node:fs/promises';
import { createConnection, createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { Fault } from '#bundle/fault.ts';

/** Where a state directory's runtime takes orders. */
export function controlSocketPath(statePath: string): string {
  return join(statePath, 'control.sock');
}

/**
 * Makes the state directory, readable by its owner alone, and takes it: one runtime writes there. The lock is a
 * listening socket in the abstract namespace, which the kernel closes however the process ends; as that namespace is
 * one per network namespace, the control socket, which is a file, is asked as well.
 * @throws Fault `STATE_LOCKED`, which names the pid of the runtime that has it
 */
export async function lockState(statePath: string, pid: number): Promise<{ release(): Promise<void> }> {
  await mkdir(statePath, { recursive: true, mode: 0o700 });
  await chmod(statePath, 0o700);
  const server = await patiently(() => tryLock(statePath));
  if (!server) throw await locked(statePath);
  await writeFile(pidPath(statePath), `${pid}\n`);
  return { release: () => new Promise((resolve) => server.close(() => resolve())) };
}

/** Looks whether a runtime has a state directory, without taking it. @throws Fault `STATE_LOCKED` */
export async function checkUnlocked(statePath: string): Promise<void> {
  const name = await abstractName(statePath).catch(() => undefined);
  if (name === undefined) return;
  const isFree = async () => !(await answers(name)) && !(await answers(controlSocketPath(statePath)));
  if (!(await patiently(isFree))) throw await locked(statePath);
}

async function tryLock(statePath: string): Promise<Server | undefined> {
  const server = createServer((socket) => socket.destroy());
  const isFree = await listen(server, await abstractName(statePath));
  if (isFree && !(await answers(controlSocketPath(statePath)))) return server;
  server.close();
  return undefined;
}

/** A killed process may keep its sockets for some moments while the kernel takes it apart: a few tries are made. */
async function patiently<T>(attempt: () => Promise<T>): Promise<T> {
  for (let tries = 1; tries < 10; tries++) {
    const result = await attempt();
    if (result) return result;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return attempt();
}

function pidPath(statePath: string): string {
  return join(statePath, 'run.lock');
}

async function abstractName(statePath: string): Promise<string> {
  return `\0boottorrent-${createHash('sha256')
    .update(await realpath(statePath))
    .digest('hex')
    .slice(0, 32)}`;
}

async function locked(statePath: string): Promise<Fault> {
  const pid = (await readFile(pidPath(statePath), 'utf8').catch(() => 'unknown')).trim();
  return new Fault('STATE_LOCKED', `Cannot use ${statePath}: the runtime with pid ${pid} has it`, {
    hint: 'End that one, or give this one a directory of its own with --state',
    retry: 'waiting',
  });
}

function listen(server: Server, name: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) =>
      error.code === 'EADDRINUSE' ? resolve(false) : reject(error),
    );
    server.listen(name, () => resolve(true));
  });
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection(path);
    socket.once('connect', () => resolve(true));
    socket.once('error', () => resolve(false));
    socket.once('close', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}
