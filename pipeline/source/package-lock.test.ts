import { expect, it } from 'vitest';
import { parseDigest } from '#bundle/digest.ts';
import type { LockedPackage } from './package-list.ts';
import { findLocked, formatLock, formatRequest, type PackageRequest } from './package-lock.ts';

const request: PackageRequest = {
  suite: 'trixie',
  arch: 'amd64',
  packages: ['?essential', 'kmod'],
  dependencies: true,
};
const alone: PackageRequest = { suite: 'trixie', arch: 'amd64', packages: ['kmod'], dependencies: false };
const kmod: LockedPackage = {
  name: 'kmod',
  version: '34.2-2',
  arch: 'amd64',
  sha256: parseDigest('a'.repeat(64)),
  sizeBytes: 95_700,
  archive: 'debian',
  path: 'pool/main/k/kmod/kmod_34.2-2_amd64.deb',
};
const libc: LockedPackage = { ...kmod, name: 'libc6', version: '1:2.41-12+deb13u4', archive: 'debian-security' };
const text = formatLock([
  { request, packages: [libc, kmod] },
  { request: alone, packages: [kmod] },
]);

it('findLocked() finds what formatLock() wrote, for each request of the file', () => {
  expect(findLocked(text, request, 'image.lock')).toEqual([kmod, libc]);
  expect(findLocked(text, alone, 'image.lock')).toEqual([kmod]);
});

it('formatRequest() does not depend on the order of the names', () => {
  expect(formatRequest({ ...request, packages: ['kmod', '?essential'] })).toBe(formatRequest(request));
});

it.each([
  ['another suite', { ...request, suite: 'forky' }],
  ['another moment', { ...request, snapshot: '20261101T000000Z' }],
  ['another architecture', { ...request, arch: 'arm64' }],
  ['one more package', { ...request, packages: [...request.packages, 'sudo'] }],
])('findLocked() refuses a lock for %s', (_, other) => {
  expect(() => findLocked(text, other, 'image.lock')).toThrow(
    expect.objectContaining({ code: 'LOCK_STALE', retry: 'stalled' }),
  );
});

it.each([
  ['a path that leads out of the archive', (line: string) => line.replace('pool/main/k', 'pool/../../k')],
  ['a short digest', (line: string) => line.replace('aaaa', 'aaa')],
  ['another archive', (line: string) => line.replace(' debian ', ' elsewhere ')],
])('findLocked() names the line with %s', (_, spoil) => {
  const [first = '', second = '', ...rest] = text.split('\n');
  const spoiled = [first, spoil(second), ...rest].join('\n');
  expect(() => findLocked(spoiled, request, 'images/a/image.lock')).toThrow(
    expect.objectContaining({
      code: 'LOCK_INVALID',
      location: { file: 'images/a/image.lock', line: 2, column: 1 },
    }),
  );
});
