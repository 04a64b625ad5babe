import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseRevision, type Revision } from '#bundle/digest.ts';
import { Fault } from '#bundle/fault.ts';
import { replaceFile } from '#store/atomic-file.ts';

/** What the operator ordered, and what must outlive a restart. */
export interface Orders {
  /** Publishing is held since then; ISO 8601 in UTC. Absent: it is not. */
  readonly suspendedSince?: string;
  /** To be published although it does not descend from what is published. */
  readonly accepted?: Revision;
}

export interface OrderBook {
  current(): Orders;
  /** Kept on the disk when it resolves. */
  set(orders: Orders): Promise<void>;
}

/** @throws Fault `ORDERS_INVALID`: to forget that publishing is held would be worse than not to start */
export async function openOrders(statePath: string): Promise<OrderBook> {
  const path = join(statePath, 'orders.json');
  let orders = await readOrders(path);
  return {
    current: () => orders,
    async set(next) {
      const temporary = `${path}.${randomBytes(6).toString('hex')}`;
      await replaceFile(path, `${JSON.stringify(next)}\n`, { temporary });
      orders = next;
    },
  };
}

async function readOrders(path: string): Promise<Orders> {
  const text = await readFile(path, 'utf8').catch((error) => {
    if (error.code === 'ENOENT') return '{}';
    throw error;
  });
  try {
    const { suspendedSince, accepted } = JSON.parse(text);
    return {
      ...(suspendedSince !== undefined && { suspendedSince: new Date(suspendedSince).toISOString() }),
      ...(accepted !== undefined && { accepted: parseRevision(accepted) }),
    };
  } catch (cause) {
    const hint = `Look at ${path}; without it nothing is suspended and no rewritten history accepted`;
    throw new Fault('ORDERS_INVALID', `Cannot read ${path}`, { cause, hint, retry: 'stalled' });
  }
}
