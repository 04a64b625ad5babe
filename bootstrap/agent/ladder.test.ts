import { expect, it } from 'vitest';
import { type LadderStep, openLadder, type Sight } from './ladder.ts';

/** What happens with one sight a second, and at which second. */
function climb(sightAt: (second: number) => Partial<Sight>, seconds = 300): readonly string[] {
  const ladder = openLadder(0, 0);
  const steps: string[] = [];
  for (let second = 0; second <= seconds; second += 1) {
    const sight = { atMs: second * 1000, doneBytes: 0, bytesPerSecond: 0, serverAtMs: undefined, ...sightAt(second) };
    const step: LadderStep = ladder.step(sight);
    if (step.kind !== 'stay') steps.push(`${step.kind} at ${second}`);
    if (step.kind === 'http') break;
  }
  return steps;
}

it('stays with the swarm as long as bytes come', () => {
  expect(climb((second) => ({ doneBytes: second * 1000, bytesPerSecond: 1000 }))).toEqual([]);
  expect(climb((second) => ({ doneBytes: Math.floor(second / 5) }))).toEqual([]);
});

it('takes the web seed first, and HTTP only when a server that answers sends nothing', () => {
  expect(climb((second) => ({ serverAtMs: second * 1000 }))).toEqual(['web-seed at 7', 'http at 28']);
});

it('waits with what is there for a server that does not answer', () => {
  expect(climb(() => ({ serverAtMs: 0, doneBytes: 500 }))).toEqual(['web-seed at 7']);
});

it('turns to HTTP when what comes is never right', () => {
  expect(climb(() => ({ bytesPerSecond: 1000 }))).toEqual(['http at 121']);
});
