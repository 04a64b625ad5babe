import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';

export const run = promisify(execFile);

/** A server with two networks of one node each, in namespaces; `lan` is the one it serves. */
export interface Network {
  readonly server: string;
  readonly lan: string;
  readonly other: string;
  remove(): Promise<void>;
}

/** The server's default route goes through `other`: a broadcast that is not bound to its interface leaves there. */
export async function makeNetwork(name: string): Promise<Network> {
  const [server, lan, other] = ['s', 'l', 'o'].map((end) => `${name}${process.pid}${end}`) as [string, string, string];
  for (const space of [server, lan, other]) await run('ip', ['netns', 'add', space]);
  for (const [space, device, address] of [
    [other, 'other0', '10.88.0.1/24'],
    [lan, 'lan0', '10.77.0.1/24'],
  ] as const) {
    await run('ip', ['-n', server, 'link', 'add', device, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', space]);
    await run('ip', ['-n', server, 'addr', 'add', address, 'dev', device]);
    await run('ip', ['-n', server, 'link', 'set', device, 'up']);
    await run('ip', ['-n', space, 'link', 'set', 'eth0', 'up']);
    await run('ip', ['-n', space, 'link', 'set', 'lo', 'up']);
  }
  await run('ip', ['-n', server, 'route', 'add', 'default', 'dev', 'other0']);
  const remove = async () => {
    for (const space of [server, lan, other]) await run('ip', ['netns', 'del', space]);
  };
  return { server, lan, other, remove };
}

/** A process in a namespace that says JSON lines on standard output. */
export interface Speaker {
  readonly child: ChildProcess;
  readonly lines: Record<string, unknown>[];
  /** The first line, said already or yet to come, that is as wanted. */
  said(isWanted: (line: Record<string, unknown>) => boolean): Promise<Record<string, unknown>>;
  /** Ends it by a signal and waits for its end. */
  end(signal: NodeJS.Signals): Promise<void>;
}

export function speak(space: string, command: readonly string[]): Speaker {
  const child = spawn('ip', ['netns', 'exec', space, ...command], { stdio: ['ignore', 'pipe', 'inherit'] });
  const lines: Record<string, unknown>[] = [];
  const waiting = new Set<() => void>();
  let hasEnded = false;
  const wake = () => {
    for (const one of waiting) one();
  };
  createInterface({ input: child.stdout }).on('line', (line) => {
    lines.push(JSON.parse(line));
    wake();
  });
  const closed = new Promise<void>((resolve) => {
    child.once('close', () => {
      hasEnded = true;
      wake();
      resolve();
    });
  });
  const said: Speaker['said'] = (isWanted) =>
    new Promise((resolve, reject) => {
      const look = () => {
        const found = lines.find(isWanted);
        if (!found && !hasEnded) return;
        waiting.delete(look);
        if (found) resolve(found);
        else reject(new Error(`The process ended without saying it: ${JSON.stringify(lines.slice(-5))}`));
      };
      waiting.add(look);
      look();
    });
  const end = async (signal: NodeJS.Signals) => {
    child.kill(signal);
    await closed;
  };
  return { child, lines, said, end };
}
