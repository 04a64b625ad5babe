import { expect, test } from 'vitest';
import { type LayerEntry, planEntry, type TreeIndex } from './layer.ts';

const below: TreeIndex = new Map([
  ['etc', 'folder'],
  ['etc/a', 'other'],
  ['link', 'other'],
]);
const plan = (name: string, type = 'file', linkName?: string): unknown => {
  const entry: LayerEntry = { name, type, ...(linkName !== undefined && { linkName }) };
  return planEntry(entry, below, new Map());
};

test.each<[string, string, unknown]>([
  ['etc/.wh.a', 'file', { remove: ['etc/a'] }],
  ['.wh.etc', 'file', { remove: ['etc'] }],
  ['./etc/.wh..wh..opq', 'file', { empty: ['etc'] }],
  ['.wh..wh..opq', 'file', { empty: ['.'] }],
  ['etc', 'file', { remove: ['etc'] }],
  ['link/', 'directory', { remove: ['link'] }],
  ['etc/', 'directory', {}],
  ['etc/a', 'symlink', {}],
  ['/new', 'file', {}],
  ['./', 'directory', {}],
])('planEntry() of %s (%s)', (name, type, wanted) => {
  expect(plan(name, type)).toEqual(wanted);
});

test.each(['../a', 'a/../b', 'a/..', '/..', 'a\0b'])('planEntry() refuses the name %j', (name) => {
  expect(() => plan(name)).toThrow(expect.objectContaining({ code: 'ARCHIVE_PATH_UNSAFE', retry: 'stalled' }));
  expect(() => plan('fine', 'link', name)).toThrow(expect.objectContaining({ code: 'ARCHIVE_PATH_UNSAFE' }));
});

test('planEntry() notes what is there, and the folders that nobody named', () => {
  const now: TreeIndex = new Map();
  planEntry({ name: 'opt/x/y', type: 'file' }, below, now);
  expect([...now]).toEqual([
    ['opt', 'folder'],
    ['opt/x', 'folder'],
    ['opt/x/y', 'other'],
  ]);
});
