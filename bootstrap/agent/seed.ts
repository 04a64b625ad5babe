import type { SwarmNode } from '../swarm-node/swarm-node.ts';
import type { Host } from './host.ts';
import type { Reporter } from './reporter.ts';

export interface SeedOptions {
  /** The client that downloaded. Absent: this node came to its files by HTTP, and has nobody to give them to. */
  readonly swarm: SwarmNode | undefined;
  /** Stay at most so long, from the signed catalog. */
  readonly budgetMs: number;
  readonly totalBytes: number;
  readonly reporter: Reporter;
}

const askEveryMs = 1000;

/**
 * Stays for the others, before this node leaves for a kernel without a client: until the server says that the swarm
 * no longer needs it, at most as long as the site allows. A server that is silent cannot say so, and is the best
 * reason to stay.
 */
export function seedUntilNeededNoMore(host: Host, { swarm, budgetMs, totalBytes, reporter }: SeedOptions): void {
  const startMs = host.uptimeMs();
  const details = { doneBytes: totalBytes, totalBytes };
  for (let asked = 0; swarm; asked += 1) {
    const ended = swarm.ended();
    const reply = ended === undefined ? reporter.report('seed', details) : undefined;
    const stayedMs = host.uptimeMs() - startMs;
    const reason = ended ?? reasonToGo(reply?.mayGo === true, stayedMs, budgetMs);
    if (reason !== undefined) {
      reporter.say('seed', `${reason}, after ${(stayedMs / 1000).toFixed(1)} s`);
      return;
    }
    if (asked === 0) reporter.say('seed', `other nodes still miss something: staying for ${budgetMs / 1000} s at most`);
    host.sleep(Math.min(askEveryMs, Math.max(budgetMs - stayedMs, 1)));
  }
}

function reasonToGo(mayGo: boolean, stayedMs: number, budgetMs: number): string | undefined {
  if (mayGo) return 'the swarm no longer needs this node';
  return stayedMs >= budgetMs ? 'no longer than the site allows' : undefined;
}
