import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Revision } from '#bundle/digest.ts';
import { backoff, type Conditions, isNew, outcome, type Result } from './outcome.ts';

const revision = 'a'.repeat(40) as Revision;
const other = 'b'.repeat(40) as Revision;
const faults = [{ code: 'X', message: 'no', file: 'boot.config.yaml', line: 3, column: 1 }];
const clock = { nowMs: 1000, random: 0.5 };
const refused = (retry: 'stalled' | 'failed' | 'waiting', of = revision): Result => ({
  kind: 'refused',
  revision: of,
  faults,
  retry,
});

describe('outcome()', () => {
  it('clears everything when a revision was published', () => {
    const stalled = outcome(refused('stalled'), {}, clock).conditions;
    const { conditions, runAgainAtMs } = outcome({ kind: 'published', revision: other, serial: 1 }, stalled, clock);
    expect(conditions).toEqual({ handled: other });
    expect(runAgainAtMs).toBeUndefined();
  });

  it('waits for a new revision when a person must act', () => {
    const { conditions, runAgainAtMs } = outcome(refused('stalled'), {}, clock);
    expect(conditions.refused).toMatchObject({ kind: 'stalled', revision, faults, attempts: 1, sinceMs: 1000 });
    expect(runAgainAtMs).toBeUndefined();
    expect(isNew(revision, conditions)).toBe(false);
    expect(isNew(other, conditions)).toBe(true);
  });

  it('does not count a failed revision as handled', () => {
    const { conditions } = outcome(refused('failed'), { handled: other }, clock);
    expect(conditions.handled).toBe(other);
    expect(isNew(revision, conditions)).toBe(true);
  });

  it('backs off: 5, 10, 20 s at the middle of the dice, and begins anew with another revision', () => {
    let conditions: Conditions = {};
    const pauses: number[] = [];
    for (const of of [revision, revision, revision, other]) {
      const next = outcome(refused('failed', of), conditions, clock);
      conditions = next.conditions;
      pauses.push(next.runAgainAtMs! - clock.nowMs);
    }
    expect(pauses).toEqual([5000, 10_000, 20_000, 5000]);
  });

  it('never waits longer than 5 minutes, nor shorter than 3 s', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 1e6 }), fc.double({ min: 0, max: 1, noNaN: true }), (attempts, random) => {
        const before = { refused: { kind: 'failed' as const, revision, sinceMs: 0, faults, attempts } };
        const pause = outcome(refused('failed'), before, { nowMs: 0, random }).runAgainAtMs!;
        expect(pause).toBeLessThanOrEqual(backoff.limitMs);
        expect(pause).toBeGreaterThan(3000);
      }),
    );
  });
});
