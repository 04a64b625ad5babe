import { createHash } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { Fault } from '#bundle/fault.ts';
import { type LabNetwork, labNetwork, removeNetwork } from './network.ts';

/** What a lab holds while it runs: its folder, locked, and its network's names. */
export interface LabPlace {
  readonly statePath: string;
  readonly network: LabNetwork;
  release(): Promise<void>;
}

/**
 * Takes the lab's state directory for this process and clears what a killed lab left in it. The lock is a name among
 * Linux's abstract unix sockets: the kernel frees it with the process, however that ended.
 * @throws Fault `STATE_LOCKED` when another lab runs on it
 */
export async function takePlace(statePath: string): Promise<LabPlace> {
  await mkdir(statePath, { recursive: true, mode: 0o700 });
  const id = createHash('sha256').update(statePath).digest('hex').slice(0, 6);
  const lock = await listen(`\0boottorrent-lab-${id}`, statePath);
  const network = labNetwork(id);
  await removeNetwork(network);
  return {
    statePath,
    network,
    release: async () => {
      await removeNetwork(network);
      await new Promise((resolve) => lock.close(resolve));
    },
  };
}

function listen(name: string, statePath: string): Promise<Server> {
  const server = createServer((socket) => socket.destroy());
  return new Promise((resolve, reject) => {
    server.once('error', (cause) => {
      const hint = 'End the other lab with Ctrl+C, or give this one another --state';
      const message = `Cannot use ${statePath}: another lab runs on it`;
      reject(new Fault('STATE_LOCKED', message, { cause, hint, retry: 'waiting' }));
    });
    server.listen(name, () => resolve(server));
  });
}
