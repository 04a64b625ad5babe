import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { Fault } from '#bundle/fault.ts';
import { neededLibraries } from './elf.ts';

it('neededLibraries() names the libraries of this very program', () => {
  expect(neededLibraries(readFileSync(process.execPath))).toEqual(expect.arrayContaining(['libc.so.6', 'libm.so.6']));
});

it('neededLibraries() of any other bytes is a fault and nothing else', () => {
  const head = readFileSync(process.execPath).subarray(0, 1024);
  const change = fc.record({ at: fc.nat(1023), value: fc.integer({ min: 0, max: 255 }) });
  fc.assert(
    fc.property(fc.array(change, { minLength: 1, maxLength: 8 }), (changes) => {
      const bytes = Buffer.from(head);
      for (const { at, value } of changes) bytes[at] = value;
      try {
        expect(Array.isArray(neededLibraries(bytes))).toBe(true);
      } catch (error) {
        expect(error).toBeInstanceOf(Fault);
      }
    }),
  );
});
