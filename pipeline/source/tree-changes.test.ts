import { expect, test } from 'vitest';
import { treeChanges } from './tree-changes.ts';

const listing = (entries: Readonly<Record<string, string>>) =>
  Object.entries(entries)
    .map(([path, state]) => `${state} 755 0:0 7 1.5 10 ${path}\0`)
    .join('');

test('treeChanges() keeps what is new or changed with the folders above it, a folder before what is in it', () => {
  const before = listing({ etc: 'd', 'etc/motd': 'f', usr: 'd', 'usr/same': 'f' });
  const after = `${listing({ etc: 'd', usr: 'd', 'usr/same': 'f', 'usr/new file\twith\nmore': 'f' })}f 644 0:0 7 2.5 10 etc/motd\0`;
  expect(treeChanges(before, after)).toEqual({
    kept: ['etc', 'etc/motd', 'usr', 'usr/new file\twith\nmore'],
    removed: [],
  });
});

test('treeChanges() removes only the uppermost of what is gone, and nothing below what a file has replaced', () => {
  const before = listing({ a: 'd', 'a/b': 'd', 'a/b/c': 'f', x: 'd', 'x/y': 'f' });
  expect(treeChanges(before, listing({ a: 'd', x: 'f' }))).toEqual({ kept: ['a', 'x'], removed: ['a/b'] });
  expect(treeChanges(before, before)).toEqual({ kept: [], removed: [] });
});
