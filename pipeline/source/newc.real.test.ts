import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { newcHeader, newcLimitBytes, newcPadding, newcTrailer } from './newc.ts';

test('newcHeader() and newcTrailer() make an archive that GNU cpio lists and unpacks', () => {
  const content = Buffer.from('five!');
  const archive = Buffer.concat([
    newcHeader({ name: 'root.squashfs', sizeBytes: content.length, epoch: 86_400 }),
    content,
    newcPadding(content.length),
    newcTrailer(),
  ]);
  expect(archive.length % 4).toBe(0);
  const env = { ...process.env, TZ: 'UTC' };
  const cpio = (...args: string[]) => execFileSync('cpio', ['--quiet', ...args], { input: archive, env }).toString();
  expect(cpio('-itv').replace(/ +/g, ' ')).toBe('-rw-r--r-- 1 root root 5 Jan 2 1970 root.squashfs\n');
  expect(cpio('-i', '--to-stdout', 'root.squashfs')).toBe('five!');
});

test('newcHeader() refuses a file whose size it cannot say', () => {
  const size = (header: Uint8Array) => Buffer.from(header).toString('latin1', 54, 62);
  expect(size(newcHeader({ name: 'a', sizeBytes: newcLimitBytes, epoch: 0 }))).toBe('ffffffff');
  expect(() => newcHeader({ name: 'a', sizeBytes: newcLimitBytes + 1, epoch: 0 })).toThrow(RangeError);
});
