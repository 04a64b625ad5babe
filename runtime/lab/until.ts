import { setTimeout as sleep } from 'node:timers/promises';
import { Fault } from '#bundle/fault.ts';
import type { StatusNode } from '../dashboard/view.ts';
import type { Lab } from './lab.ts';
import type { LabNode } from './node.ts';

/**
 * Reads again and again until a value holds, and returns it.
 * @throws Fault `LAB_TIMEOUT` with the last value
 */
export async function until<T>(read: () => Promise<T>, holds: (value: T) => boolean, limitMs = 280_000): Promise<T> {
  const signal = AbortSignal.timeout(limitMs);
  for (;;) {
    const value = await read();
    if (holds(value)) return value;
    if (signal.aborted) throw new Fault('LAB_TIMEOUT', `Gave up waiting at: ${JSON.stringify(value)}`);
    await sleep(300);
  }
}

/** What the status says of a node as soon as that holds. @throws Fault `LAB_TIMEOUT` with the end of its console */
export async function untilNode(
  lab: Lab,
  node: LabNode,
  holds: (seen: StatusNode) => boolean,
  limitMs = 280_000,
): Promise<StatusNode> {
  const read = () => lab.statusOf(node);
  const seen = await until(read, (value) => value !== undefined && holds(value), limitMs).catch((cause) => {
    throw new Fault('LAB_TIMEOUT', `${cause.message}\n${node.console.tail(40)}`, { cause });
  });
  return seen as StatusNode;
}
