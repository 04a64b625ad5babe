import { cpSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { dice } from '#bundle/testdata/mutate.ts';
import type { Operation, Operations } from './operations.ts';
import { type Ended, runPlain, runSwept } from './swept-program.ts';
import { isHit, type Point, pointsOf } from './trace.ts';

/** What is done to a call, in strace's words: `signal=KILL`, `error=ENOSPC`. */
export type Injection = 'signal=KILL' | `error=${'ENOSPC' | 'EIO' | 'EMFILE'}`;

export interface Target {
  readonly operation: Operation;
  readonly point: Point;
  readonly injection: Injection;
}

/** A point that was hit, with everything that must hold after it checked by {@link SweepOptions}. */
export interface Outcome {
  readonly target: Target;
  readonly state: 'before' | 'after';
  readonly ended: Ended;
}

export interface SweepOptions {
  /** Called for what was hit, before the operation is run again; throws where something does not hold. */
  readonly examine: (outcome: Outcome, statePath: string) => void;
}

/** Two images are built side by side: now and then the other one is first, and has the name that was meant. */
const triesEach = 16;
/** After so many, the point is looked up in a new trace: the order that was traced first may be a rare one. */
const triesAsTraced = 4;
const atOnce = 2;

/** Traces each operation once, and numbers every call that changes its state directory. */
export async function tracePoints({ all, folder }: Operations): Promise<readonly Omit<Target, 'injection'>[]> {
  const targets: Omit<Target, 'injection'>[] = [];
  for (const operation of all) {
    const statePath = join(folder, 'traced');
    cpSync(operation.basePath, statePath, { recursive: true });
    const argv = operation.argv(statePath);
    const { status, log, stderr, place } = await runSwept({ argv, statePath, logPath: join(folder, 'trace.log') });
    if (status !== 0) throw new Error(`${operation.name} ended with ${status}: ${stderr}`);
    targets.push(...pointsOf(log, place).map((point) => ({ operation, point })));
    rmSync(statePath, { recursive: true });
  }
  return targets;
}

/** Some of them, the same ones for the same seed. */
export function sampled<T>(
  all: readonly T[],
  { count, seed }: { readonly count: number; readonly seed: number },
): readonly T[] {
  const random = dice(seed);
  const left = [...all];
  return Array.from(
    { length: Math.min(count, all.length) },
    () => left.splice(Math.floor(random() * left.length), 1)[0] as T,
  );
}

/**
 * Hits every target, two at a time: the state must be the one before or the one after, and the operation must work
 * when it is run again, with nothing repaired by hand.
 * @throws Error with all targets that did not hold or were never hit
 */
export async function sweep(
  targets: readonly Target[],
  { folder }: Operations,
  { examine }: SweepOptions,
): Promise<readonly Outcome[]> {
  const left = [...targets];
  const outcomes: Outcome[] = [];
  const wrong: string[] = [];
  const work = async (worker: number) => {
    for (let target = left.pop(); target; target = left.pop()) {
      const place = { statePath: join(folder, `swept-${worker}`), logPath: join(folder, `log-${worker}`) };
      try {
        const outcome = await hit(target, place);
        examine(outcome, place.statePath);
        await runAgain(target.operation, place.statePath);
        outcomes.push(outcome);
      } catch (error) {
        wrong.push(`${describeTarget(target)}: ${error instanceof Error ? error.message : String(error)}`);
      }
      rmSync(place.statePath, { recursive: true, force: true });
    }
  };
  await Promise.all(Array.from({ length: atOnce }, (_, worker) => work(worker)));
  if (wrong.length > 0) throw new Error(`${wrong.length} of ${targets.length} points:\n${wrong.join('\n')}`);
  return outcomes;
}

/** `gc, unlink blobs/ab/…, signal=KILL` */
export function describeTarget({ operation, point, injection }: Target): string {
  return `${operation.name}, ${point.name} ${point.path}${point.when === 1 ? '' : ` (${point.when})`}, ${injection}`;
}

async function hit(target: Target, place: { readonly statePath: string; readonly logPath: string }): Promise<Outcome> {
  const { operation, injection } = target;
  const { statePath } = place;
  const begin = () => {
    rmSync(statePath, { recursive: true, force: true });
    cpSync(operation.basePath, statePath, { recursive: true });
  };
  for (let tries = 0; tries < triesEach; tries++) {
    begin();
    const point = tries < triesAsTraced ? target.point : await samePoint(target, place);
    begin();
    const inject = { point, how: `${injection}:when=${point.when}` };
    const ended = await runSwept({ ...place, argv: operation.argv(statePath), inject });
    if (isHit(ended.log, point)) return { target, ended, state: await operation.check(statePath, ended) };
  }
  throw new Error('it was never hit');
}

/** The same call of a new trace, whatever random name its path has there. */
async function samePoint(
  { operation, point }: Target,
  place: { readonly statePath: string; readonly logPath: string },
): Promise<Point> {
  const { log, place: traced } = await runSwept({ ...place, argv: operation.argv(place.statePath) });
  const plain = (path: string) => path.replace(/-[0-9a-f]{16}/g, '');
  const isSame = ({ name, path, when }: Point) =>
    name === point.name && when === point.when && plain(path) === plain(point.path);
  return pointsOf(log, traced).find(isSame) ?? point;
}

async function runAgain(operation: Operation, statePath: string): Promise<void> {
  const { status, stdout, stderr } = await runPlain(operation.argv(statePath));
  if (status !== 0) throw new Error(`run again it ended with ${status}: ${stdout}${stderr}`);
  if ((await operation.check(statePath, { stdout })) !== 'after') throw new Error('run again it changed nothing');
}

/** How many points of each call were hit, by operation. */
export function coverage(outcomes: readonly Outcome[]): readonly string[] {
  const byOperation = Map.groupBy(outcomes, ({ target }) => `${target.operation.name}, ${target.injection}`);
  return [...byOperation]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, some]) => {
      const byCall = Map.groupBy(some, ({ target }) => target.point.name);
      const calls = [...byCall].map(([call, hits]) => `${call} ${hits.length}`).toSorted();
      const after = some.filter(({ state }) => state === 'after').length;
      return `${name}: ${some.length} points (${calls.join(', ')}), ${after} with the new state`;
    });
}
