import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Digest, InfoHash } from '#bundle/digest.ts';
import type { DesiredState, ObservedState, ServedBundle } from './desired.ts';
import { after, diff } from './diff.ts';

const digest = (index: number) => index.toString(16).padStart(64, '0') as Digest;

const infoHashOf = (index: number) => (index >> 1).toString(16).padStart(40, '0') as InfoHash;

/** Bundles 2n and 2n+1 share a torrent: one image that changed nothing but its method. */
function bundle(index: number): ServedBundle {
  const blob = { digest: digest(index), sizeBytes: 1 };
  return {
    name: `image${index}`,
    kind: 'image',
    manifest: blob,
    torrent: { ...blob, infoHash: infoHashOf(index) },
    files: [],
  };
}

function desired(catalog: number, indexes: readonly number[]): DesiredState {
  return { catalog: digest(1000 + catalog), bundles: indexes.map(bundle) };
}

const nothing: ObservedState = { verified: new Map(), seeded: new Set(), draining: new Set(), inUse: new Set() };
const reach = (state: DesiredState, from: ObservedState) => diff(state, from).reduce(after, from);

const indexes = fc.uniqueArray(fc.integer({ min: 0, max: 9 }), { maxLength: 6 });
/** Histories of commits with live sessions that name any bundles, even such as were never served. */
const histories = fc.array(fc.record({ bundles: indexes, inUse: indexes }), { minLength: 1, maxLength: 6 });

function observedAfter(history: readonly { bundles: number[]; inUse: number[] }[]) {
  let observed = nothing;
  for (const [index, { bundles, inUse }] of history.entries()) {
    observed = reach(desired(index, bundles), { ...observed, inUse: new Set(inUse.map(digest)) });
  }
  return observed;
}

describe('diff()', () => {
  it('goes in the order verify, seed, publish menu, drain, unseed', () => {
    const before = { ...reach(desired(0, [0, 2]), nothing), inUse: new Set([digest(0)]) };
    expect(diff(desired(1, [4]), before).map((action) => action.kind)).toEqual([
      'verify',
      'seed',
      'publish-menu',
      'drain',
      'unseed',
      'forget',
    ]);
  });

  it('does nothing before the first catalog', () => {
    expect(diff({ bundles: [] }, reach(desired(0, [1]), nothing))).toEqual([]);
  });

  it('keeps the invariant in every prefix: a menu entry implies a seeded, verified bundle', () => {
    fc.assert(
      fc.property(histories, indexes, indexes, (history, next, inUse) => {
        let observed = { ...observedAfter(history), inUse: new Set(inUse.map(digest)) };
        const menus = new Map(history.map(({ bundles }, index) => [digest(1000 + index), bundles]));
        menus.set(digest(1000 + history.length), next);
        for (const action of diff(desired(history.length, next), observed)) {
          observed = after(observed, action) as typeof observed;
          for (const entry of menus.get(observed.menu!) ?? []) {
            expect(observed.verified.has(digest(entry))).toBe(true);
            expect(observed.seeded.has(infoHashOf(entry))).toBe(true);
          }
        }
      }),
    );
  });

  it('is empty after it was applied', () => {
    fc.assert(
      fc.property(histories, indexes, indexes, (history, next, inUse) => {
        const observed = { ...observedAfter(history), inUse: new Set(inUse.map(digest)) };
        const wanted = desired(99, next);
        expect(diff(wanted, reach(wanted, observed))).toEqual([]);
      }),
    );
  });

  it('never takes away what a live boot session names', () => {
    fc.assert(
      fc.property(histories, indexes, indexes, (history, next, inUse) => {
        const before = { ...observedAfter(history), inUse: new Set(inUse.map(digest)) };
        const reached = reach(desired(99, next), before);
        for (const [key, kept] of before.verified) {
          if (!before.inUse.has(key)) continue;
          expect(reached.verified.has(key)).toBe(true);
          expect(reached.seeded.has(kept.torrent?.infoHash ?? infoHashOf(99))).toBe(true);
        }
      }),
    );
  });

  it('leaves nothing behind once no session names it', () => {
    fc.assert(
      fc.property(histories, indexes, (history, next) => {
        const reached = reach(desired(99, next), { ...observedAfter(history), inUse: new Set() });
        expect([...reached.verified.keys()].sort()).toEqual(next.map(digest).sort());
        expect(reached.draining.size).toBe(0);
        expect(reached.seeded).toEqual(new Set(next.map(infoHashOf)));
      }),
    );
  });
});
