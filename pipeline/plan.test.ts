import { expect, test } from 'vitest';
import type { Release } from '#bundle/catalog.ts';
import type { ImageDefinition } from '#definition/image.ts';
import { formatInputs, type ImageInputs, plan } from './plan.ts';
import { digestOf } from './store/digest.ts';

const image: ImageDefinition = {
  name: 'debian',
  title: 'Debian',
  arch: 'amd64',
  start: { method: 'switch-root', modules: 'all' },
  memoryBytes: 1,
  source: { kind: 'debian', suite: 'trixie', packages: ['a', 'b'] },
  run: [],
  values: {},
  cmdline: '',
  lab: {},
};
const inputs: ImageInputs = {
  image,
  overlay: digestOf('overlay'),
  files: {},
  packages: [digestOf('a'), digestOf('b')],
  recipe: digestOf('recipe'),
  tools: { mmdebstrap: '1', tar: '2' },
};
const release = { name: 'debian' } as Release;
const digest = digestOf(formatInputs(inputs));
const kept = new Map([[digest, release]]);

test('plan() reuses what was built from the same inputs', () => {
  expect(plan([inputs], { digestOf, kept })).toEqual([{ kind: 'reuse', image, release }]);
});

test.each<[string, Partial<ImageInputs>]>([
  ['title', { image: { ...image, title: 'Other' } }],
  ['command line', { image: { ...image, cmdline: 'quiet' } }],
  ['way to start', { image: { ...image, start: { method: 'switch-root', modules: 'none' } } }],
  ['lab', { image: { ...image, lab: { expect: 'x' } } }],
  ['order of packages', { image: { ...image, source: { kind: 'debian', suite: 'trixie', packages: ['b', 'a'] } } }],
  ['order of tools', { tools: { tar: '2', mmdebstrap: '1' } }],
])('plan() builds nothing for another %s', (_, change) => {
  const [step] = plan([{ ...inputs, ...change }], { digestOf, kept });
  expect(step?.kind).toBe('reuse');
});

test.each<[string, Partial<ImageInputs>]>([
  ['name', { image: { ...image, name: 'other' } }],
  ['method', { image: { ...image, start: { method: 'kexec', unbind: [] } } }],
  ['need of memory', { image: { ...image, memoryBytes: 2 } }],
  ['suite', { image: { ...image, source: { kind: 'debian', suite: 'forky', packages: ['a', 'b'] } } }],
  ['overlay', { overlay: digestOf('changed') }],
  ['file', { files: { kernel: 'sha1:1234' } }],
  ['package', { packages: [digestOf('a'), digestOf('c')] }],
  ['recipe', { recipe: digestOf('changed') }],
  ['version of a tool', { tools: { mmdebstrap: '1', tar: '3' } }],
])('plan() builds again for another %s', (_, change) => {
  const [step] = plan([{ ...inputs, ...change }], { digestOf, kept });
  expect(step?.kind).toBe('build');
});
