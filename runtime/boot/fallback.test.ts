import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ImageRelease } from '#bundle/catalog.ts';
import type { Digest, Mac } from '#bundle/digest.ts';
import {
  failedBootsLimit,
  fallbackOf,
  judge,
  type ReleaseRecord,
  releaseIdentity,
  type Verdict,
  verdict,
} from './fallback.ts';
import type { BootPhase, BootSession } from './session.ts';

const digest = (name: string) => name.padStart(64, '0') as Digest;
const release = (name: string) => ({
  ...{ identity: digest(name), manifest: digest(`${name}1`) },
  ...{ catalog: digest(`${name}2`), signature: digest(`${name}3`) },
});
const empty: ReleaseRecord = { mac: '52:54:00:00:00:01' as Mac, image: 'debian', failed: [], good: [] };

function history(...boots: readonly (readonly [string, Verdict])[]): ReleaseRecord {
  return boots.reduce((record, [name, said]) => judge(record, release(name), said), empty);
}
const failed = (name: string, times: number) => new Array<readonly [string, Verdict]>(times).fill([name, 'failed']);
const offered = (record: ReleaseRecord, published: string) => fallbackOf(record, digest(published))?.to.identity;

describe('fallbackOf()', () => {
  it('is the newest release that came up, after three failed boots in a row', () => {
    const record = history(['a', 'up'], ['b', 'up'], ...failed('c', 2));
    expect(offered(record, 'c')).toBeUndefined();
    const third = judge(record, release('c'), 'failed');
    expect(fallbackOf(third, digest('c'))).toEqual({
      ...{ mac: empty.mac, image: 'debian', from: digest('c1'), boots: 3, to: release('b') },
    });
  });

  it('ends when another release is published', () => {
    expect(offered(history(['a', 'up'], ...failed('b', 3)), 'c')).toBeUndefined();
  });

  it('begins to count again when the release comes up', () => {
    expect(offered(history(['a', 'up'], ...failed('b', 2), ['b', 'up'], ...failed('b', 2)), 'b')).toBeUndefined();
  });

  it('stays while the older release boots', () => {
    expect(offered(history(['a', 'up'], ...failed('b', 3), ['a', 'up'], ['a', 'up']), 'b')).toBe(digest('a'));
  });

  it('goes further back when the older one fails as well, and gives up when none is left', () => {
    const record = history(['a', 'up'], ['b', 'up'], ...failed('c', 3), ...failed('b', 3));
    expect(offered(record, 'c')).toBe(digest('a'));
    expect(
      offered(
        failed('a', 3).reduce((one, [name, said]) => judge(one, release(name), said), record),
        'c',
      ),
    ).toBeUndefined();
  });

  it('never is what never came up on this node, whatever happened', () => {
    const boots = fc.array(fc.tuple(fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f'), fc.constantFrom('up', 'failed')));
    fc.assert(
      fc.property(boots, (list) => {
        const record = history(...(list as (readonly [string, Verdict])[]));
        expect(record.good.length + record.failed.length).toBeLessThanOrEqual(8);
        for (const name of ['a', 'b', 'c', 'd', 'e', 'f']) {
          const to = fallbackOf(record, digest(name))?.to;
          if (!to) continue;
          expect(list.some(([one, said]) => digest(one) === to.identity && said === 'up')).toBe(true);
          const bad = list.filter(([one]) => one === name).slice(-failedBootsLimit);
          expect(bad.map(([, said]) => said)).toEqual(['failed', 'failed', 'failed']);
        }
      }),
    );
  });
});

describe('verdict()', () => {
  const at = (...names: readonly BootPhase[]) =>
    ({ phases: names.map((name) => ({ name, atMs: 0 })), fault: { code: 'X', message: '' } }) as unknown as BootSession;

  it.each([
    ['up', at('executing'), at('executing', 'up')],
    ['failed', at('load'), at('load', 'failed')],
    ['failed', at('verify-files'), at('verify-files', 'failed')],
    ['failed', at('executing'), at('executing', 'failed')],
    ['failed', at('executing'), undefined],
    [undefined, at('download'), undefined],
    [undefined, at('up'), undefined],
    [undefined, at('failed'), undefined],
    [undefined, at('ticket'), at('ticket', 'failed')],
    [undefined, at('download'), at('download', 'failed')],
  ] as const)('is %s', (said, before, next) => {
    expect(verdict(before, next)).toBe(said);
  });

  it('blames the release that asks for more memory than there is', () => {
    const next = { ...at('verify-catalog', 'failed'), fault: { code: 'MEMORY_INSUFFICIENT', message: '' } };
    expect(verdict(at('verify-catalog'), next)).toBe('failed');
  });

  it('says nothing of a report that brings no new phase', () => {
    const session = at('load', 'failed');
    expect(verdict(session, { ...session, lastSeenMs: 5 })).toBeUndefined();
  });
});

describe('releaseIdentity()', () => {
  const image = {
    manifest: { digest: digest('a'), sizeBytes: 1 },
    start: { method: 'local' },
    cmdline: '',
  } as ImageRelease;

  it('is another one for other files, settings or another command line, and the same for another title', () => {
    const others = [{ manifest: { digest: digest('b') } }, { start: { method: 'chain' } }, { cmdline: 'quiet' }];
    const identities = [{}, ...others].map((more) => releaseIdentity({ ...image, ...more } as ImageRelease));
    expect(new Set(identities).size).toBe(4);
    expect(releaseIdentity({ ...image, title: 'Other' })).toBe(releaseIdentity(image));
  });
});
