import { join } from 'node:path';
import { Fault } from '#bundle/fault.ts';
import { replaceFile } from '#store/atomic-file.ts';
import type { GcResult } from '#store/gc.ts';
import type { InUse } from '#store/in-use.ts';
import type { Log } from './log.ts';
import { askChild } from './publish-child.ts';

export interface CollectorOptions {
  /** The builder's verb with the options of the site. */
  readonly argv: readonly string[];
  readonly statePath: string;
  readonly inUse: () => InUse;
  readonly log: Log;
  readonly pid: number;
}

export interface CollectWish {
  readonly dryRun: boolean;
  /** Default: what the site says. */
  readonly keep?: number;
}

/** Garbage collection, done by the builder: only that writes to the store. */
export interface Collector {
  /** One at a time. @throws Fault of the builder, or `GC_FAILED` */
  collect(wish: CollectWish): Promise<GcResult>;
  /** Of the last one that was no dry run. */
  last(): GcResult | undefined;
}

export function openCollector(options: CollectorOptions): Collector {
  let turn: Promise<unknown> = Promise.resolve();
  let last: GcResult | undefined;
  let count = 0;

  async function collect({ dryRun, keep }: CollectWish): Promise<GcResult> {
    const path = join(options.statePath, 'in-use.json');
    // What begins after this is of a catalog at least as new as the served one, and those are left alone.
    const text = JSON.stringify(options.inUse());
    await replaceFile(path, text, { temporary: `${path}.${options.pid}-${count++}`, isCache: true });
    const flags = ['--in-use', path, ...(dryRun ? ['--dry-run'] : []), ...(keep ? ['--keep', `${keep}`] : [])];
    const result = resultOf(await askChild([...options.argv, ...flags]));
    if (!dryRun) last = result;
    options.log.info({ part: 'gc', dryRun, ...result }, 'store collected');
    return result;
  }
  return {
    last: () => last,
    collect(wish) {
      const done = turn.then(() => collect(wish));
      turn = done.catch(() => undefined);
      return done;
    },
  };
}

function resultOf(said: Readonly<Record<string, unknown>>): GcResult {
  if (said.kind === 'collected') return said as unknown as GcResult;
  const [fault] = (said.faults ?? []) as readonly { code?: string; message?: string; hint?: string }[];
  const hint = typeof fault?.hint === 'string' ? { hint: fault.hint } : {};
  throw new Fault(
    fault?.code ?? 'GC_FAILED',
    fault?.message ?? 'Cannot collect garbage: the builder said nothing',
    hint,
  );
}
