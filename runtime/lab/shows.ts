import { Fault } from '#bundle/fault.ts';
import type { LabNode } from './node.ts';
import { until } from './until.ts';

/** Waits until a node's console shows a text `times` times. @throws Fault `LAB_TIMEOUT` with the console's end */
export async function shows(
  { console }: LabNode,
  text: string,
  { times = 1, limitMs = 120_000 }: { readonly times?: number; readonly limitMs?: number } = {},
): Promise<void> {
  const count = async () => console.tail(2000).split(text).length - 1;
  await until(count, (seen) => seen >= times, limitMs).catch((cause) => {
    throw new Fault('LAB_TIMEOUT', `"${text}" is not on the console ${times} times:\n${console.tail(40)}`, { cause });
  });
}
