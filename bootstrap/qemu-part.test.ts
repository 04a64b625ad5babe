import { expect, it } from 'vitest';
import { isUnpackedForQemu } from './qemu-part.ts';

it('isUnpackedForQemu() takes libraries, QEMU for PCs and firmware, and no scripts of a system', () => {
  const names = [
    'libc6',
    'libaio1t64',
    'libjpeg62-turbo',
    'libp11-kit0',
    'zlib1g',
    'qemu-system-x86',
    'ovmf',
    'seabios',
  ];
  expect(names.filter((name) => !isUnpackedForQemu(name))).toEqual([]);
  const others = [
    'adduser',
    'debconf',
    'passwd',
    'libasound2-data',
    'libaudit-common',
    'libpam-modules-bin',
    'qemu-utils',
  ];
  expect(others.filter(isUnpackedForQemu)).toEqual([]);
});
