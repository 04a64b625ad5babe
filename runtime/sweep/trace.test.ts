import { expect, test } from 'vitest';
import { isHit, pathIn, pointsOf } from './trace.ts';

const log = `12 openat(AT_FDCWD</>, "/etc/passwd", O_RDONLY) = 3
12 write(4<anon_inode:[eventfd]>, "x", 8) = 8
13 openat(AT_FDCWD</>, "/s/tmp/12-ab", O_WRONLY|O_CREAT|O_EXCL, 0666) = 3</s/tmp/12-ab>
13 write(3</s/tmp/12-ab>, "abc", 3 <unfinished ...>
12 futex(0x1, FUTEX_WAKE, 1) = 0
13 <... write resumed>) = 3
13 write(3</s/tmp/12-ab>, "def", 3) = 3
13 rename("/s/tmp/12-ab", "/s/a") = 0
13 openat(AT_FDCWD</>, "/s/a", O_RDONLY) = 3</s/a>
13 openat(AT_FDCWD</>, "/s/a", O_RDWR) = 3</s/a>
13 +++ exited with 0 +++
`;
const place = { statePath: '/s', pid: 12 };

test('pointsOf() names what changes the folder, and nothing that only reads or is elsewhere', () => {
  expect(pointsOf(log, place).map(({ name, path, when }) => `${name} ${path} ${when}`)).toEqual([
    ...['openat tmp/{pid}-ab 1', 'write tmp/{pid}-ab 1', 'write tmp/{pid}-ab 2', 'rename tmp/{pid}-ab 1', 'openat a 2'],
  ]);
});

test('pathIn() gives the path of a point elsewhere', () => {
  const point = { name: 'write', path: 'tmp/{pid}-ab', when: 1 } as const;
  expect(pathIn(point, { statePath: '/t', pid: 99 })).toBe('/t/tmp/99-ab');
});

test('isHit() asks for the call itself', () => {
  const hit = '13 write(3</s/a>, "abc", 3) = ?\n+++ killed by SIGKILL +++\n';
  expect(isHit(hit, { name: 'write', path: 'a', when: 1 })).toBe(true);
  expect(isHit(hit, { name: 'write', path: 'a', when: 2 })).toBe(false);
  expect(isHit(hit, { name: 'openat', path: 'a', when: 1 })).toBe(false);
  expect(isHit('openat(AT_FDCWD</>, "/s/a", O_RDONLY) = 3', { name: 'openat', path: 'a', when: 1 })).toBe(false);
});
