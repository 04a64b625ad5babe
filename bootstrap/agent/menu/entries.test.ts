import { expect, it } from 'vitest';
import type { Catalog, ImageRelease, Release } from '#bundle/catalog.ts';
import type { Digest, Mac, Revision } from '#bundle/digest.ts';
import type { Start } from '#bundle/start.ts';
import { menuEntries } from './entries.ts';

const mac = '52:54:00:aa:00:01' as Mac;
const release = (name: string, sizeBytes: number): Release => ({
  ...{ name, arch: 'amd64', sizeBytes },
  manifest: { digest: 'ab'.repeat(32) as Digest, sizeBytes: 500 },
});
const image = (name: string, start: Start): ImageRelease => ({
  ...release(name, 1000),
  ...{ title: `The ${name}`, start, cmdline: '', memoryBytes: 3000 },
});
const catalog: Catalog = {
  ...{ format: 1, site: 'lab', revision: 'c'.repeat(40) as Revision, committedAt: '2026-01-01T00:00:00Z', serial: 1 },
  bootstraps: [],
  parts: [release('modules', 20), { ...release('modules', 7), arch: 'arm64' }, release('modules-extra', 300)],
  images: [
    image('debian', { method: 'switch-root', modules: 'core' }),
    image('disk', { method: 'local' }),
    image('installer', { method: 'kexec', unbind: [] }),
  ],
  menu: { default: 'debian', timeoutMs: 5000, shell: true },
  swarm: { seedBudgetMs: 30_000 },
  groups: [],
};

it('menuEntries() counts the parts that come with an image', () => {
  const entries = menuEntries(catalog, { mac, arch: 'amd64' });
  expect(entries.map(({ name, downloadBytes, memoryBytes }) => [name, downloadBytes, memoryBytes])).toEqual([
    ['debian', 1020, 3020],
    ['disk', 0, 0],
    ['installer', 1000, 3000],
  ]);
  expect(entries[0]).toMatchObject({ title: 'The debian', version: 'abababababab', method: 'switch-root' });
});

it('menuEntries() is the one image of a group that has one', () => {
  const groups = [{ name: 'all', match: {}, image: 'installer' }];
  expect(menuEntries({ ...catalog, groups }, { mac, arch: 'amd64' }).map(({ name }) => name)).toEqual(['installer']);
});
