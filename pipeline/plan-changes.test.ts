import { expect, test } from 'vitest';
import type { Digest } from '#bundle/digest.ts';
import { parseMac } from '#bundle/digest.ts';
import { planChanges } from './plan-changes.ts';
import type { Planned, PlannedImage } from './planned.ts';
import { digestOf } from './store/digest.ts';

const digest = (of: string) => digestOf(of) as Digest;
const file = (name: string, sizeBytes: number) => ({ name, sizeBytes, sha256: digest(name) });
const debian: PlannedImage = {
  ...{ name: 'debian', arch: 'amd64', title: 'Debian', start: { method: 'switch-root', modules: 'none' }, cmdline: '' },
  ...{ manifest: digest('one'), files: [file('base', 100), file('rest', 10)], isEstimate: false, memoryBytes: 1000 },
};
const planned = (images: readonly PlannedImage[], more: Partial<Planned> = {}): Planned => ({
  ...{ images, parts: [], bootstraps: [], menu: { default: 'debian', timeoutMs: 0, shell: false }, groups: [] },
  ...more,
});
const mac = parseMac('52:54:00:00:00:01');
const known = { nodes: [{ mac, arch: 'amd64', memoryBytes: 2 ** 30 }], earlier: [] } as const;
const changed: PlannedImage = { ...debian, manifest: digest('two'), files: [file('base', 100), file('new', 11)] };

test('planChanges() of the same is nothing', () => {
  const { images, nodes, bootstrap } = planChanges(planned([debian]), planned([debian]), known);
  expect(images.map(({ kind }) => kind)).toEqual(['unchanged']);
  expect(nodes).toEqual([]);
  expect(bootstrap).toEqual({ kind: 'unchanged', mustBuild: false });
});

test('planChanges() transfers only files that no published image has', () => {
  const [image] = planChanges(planned([debian]), planned([changed]), known).images;
  expect(image).toMatchObject({ kind: 'changed', mustBuild: false, transferBytes: 11, bootBytes: 111, buildBytes: 0 });
  const other = { ...debian, name: 'other', manifest: digest('three'), files: [file('new', 11)] };
  const [shared] = planChanges(planned([debian, other]), planned([changed, other]), known).images;
  expect(shared?.transferBytes).toBe(0);
});

test('planChanges() knows no version of what is not built yet, and takes all its unknown files for new', () => {
  const { manifest: _, ...rest } = changed;
  const fresh = { ...rest, files: [file('base', 100), { name: 'rest', sizeBytes: 12 }], isEstimate: true };
  const [image] = planChanges(planned([debian]), planned([fresh]), known).images;
  expect(image).toMatchObject({ mustBuild: true, buildBytes: 112, transferBytes: 12, isEstimate: true });
  expect(image).not.toHaveProperty('to');
  const [unknown] = planChanges(planned([debian]), planned([{ ...rest, files: [{ name: 'rest' }] }]), known).images;
  expect(unknown).not.toHaveProperty('buildBytes');
});

test('planChanges() tells settings from files, and what is added from what is removed', () => {
  const [settings] = planChanges(planned([debian]), planned([{ ...debian, cmdline: 'quiet' }]), known).images;
  expect(settings).toMatchObject({ kind: 'settings', settings: ['cmdline'], transferBytes: 0 });
  const { images } = planChanges(planned([debian]), planned([{ ...debian, name: 'arch' }]), known);
  expect(images.map(({ name, kind }) => [name, kind])).toEqual([
    ['arch', 'added'],
    ['debian', 'removed'],
  ]);
});

test('planChanges() names the newest earlier catalog that had the version', () => {
  const images = [{ name: 'debian', manifest: { digest: digest('two') } }] as never;
  const revision = 'r' as never;
  const earlier = [3, 5, 4].map((serial) => ({ serial, revision, images }));
  const [back] = planChanges(planned([debian]), planned([changed]), { ...known, earlier }).images;
  expect(back?.rollsBackTo?.serial).toBe(5);
  const [same] = planChanges(planned([changed]), planned([changed]), { ...known, earlier }).images;
  expect(same?.rollsBackTo).toBeUndefined();
});

test('planChanges() names the nodes that boot something else', () => {
  const { nodes } = planChanges(planned([debian]), planned([changed]), known);
  expect(nodes).toMatchObject([{ mac, isChanged: true, fits: true }]);
  const groups = [{ name: 'g', match: { mac: ['52:*'] }, cmdline: 'quiet' }];
  expect(planChanges(planned([debian]), planned([debian], { groups }), known).nodes).toMatchObject([
    { isChanged: true },
  ]);
  const elsewhere = [{ ...groups[0], name: 'g', match: { mac: ['00:*'] } }];
  expect(planChanges(planned([debian]), planned([debian], { groups: elsewhere }), known).nodes).toEqual([]);
});

test('planChanges() names nodes that lack the RAM, or that will boot nothing, though nothing changes for them', () => {
  const large = { ...debian, memoryBytes: 2 ** 30 };
  expect(planChanges(planned([large]), planned([large]), known).nodes).toMatchObject([
    { isChanged: false, fits: false },
  ]);
  const menu = { default: 'none', timeoutMs: 0, shell: false };
  const { nodes } = planChanges(planned([debian], { menu }), planned([debian], { menu }), known);
  expect(nodes[0]?.trouble).toContain('no none for amd64');
});
