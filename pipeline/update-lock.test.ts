import { expect, test } from 'vitest';
import { lockChanges } from './update-lock.ts';

const line = (name: string, version: string) => `${name}=${version} amd64 sha256:${'a'.repeat(64)} 1 debian pool/x.deb`;

test('lockChanges() says what is new, gone and changed', () => {
  const before = `# boottorrent packages: x\n${line('kmod', '1')}\n${line('old', '3')}\n${line('same', '1:2')}\n`;
  const after = `# boottorrent packages: x\n${line('kmod', '2')}\n${line('fresh', '4')}\n${line('same', '1:2')}\n`;
  expect(lockChanges(before, after)).toEqual(['gone: old 3', 'kmod 1 -> 2', 'new: fresh 4']);
  expect(lockChanges('', after)).toEqual(['new: fresh 4', 'new: kmod 2', 'new: same 1:2']);
  expect(lockChanges(after, after)).toEqual([]);
});

test('lockChanges() follows the tag of a container image', () => {
  const lock = (digit: string) => `# boottorrent oci: a.b/c:1\nsha256:${digit.repeat(64)}\n`;
  expect(lockChanges(lock('1'), lock('2'))).toEqual(['a.b/c:1 sha256:111111111111 -> sha256:222222222222']);
});
