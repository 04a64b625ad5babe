import fc from 'fast-check';
import { expect, test } from 'vitest';
import { layOut } from './layout.ts';

const kib = 1024;

test('layOut() puts zeros between large files, and none behind the last or behind one that ends with a piece', () => {
  const { files, pieceLengthBytes } = layOut([
    { name: 'note', sizeBytes: 1 },
    { name: 'c', sizeBytes: 300 * kib },
    { name: 'a', sizeBytes: 512 * kib },
    { name: 'b', sizeBytes: 256 * kib + 1 },
  ]);
  expect(pieceLengthBytes).toBe(256 * kib);
  expect(files.map(({ name, sizeBytes }) => [name, sizeBytes])).toEqual([
    ['a', 512 * kib],
    ['b', 256 * kib + 1],
    ['zeros-after-1.pad', 256 * kib - 1],
    ['c', 300 * kib],
    ['zeros-after-2.pad', 212 * kib],
    ['note', 1],
  ]);
  expect(layOut([{ name: 'rootfs', sizeBytes: 300 * kib + 1 }]).files.length).toBe(1);
  expect(layOut([]).files).toEqual([]);
});

test('layOut() has every large file begin with a piece, whatever the sizes, and less than a piece of zeros for each', () => {
  const sizes = fc.array(fc.integer({ min: 0, max: 80 * kib * kib }), { maxLength: 8 });
  fc.assert(
    fc.property(sizes, (all) => {
      const given = all.map((sizeBytes, index) => ({ name: `file-${index}`, sizeBytes }));
      const { files, pieceLengthBytes } = layOut(given);
      let startBytes = 0;
      for (const { kind, sizeBytes } of files) {
        if (kind === 'pad') expect(sizeBytes).toBeLessThan(pieceLengthBytes);
        else if (sizeBytes >= pieceLengthBytes) expect(startBytes % pieceLengthBytes).toBe(0);
        startBytes += sizeBytes;
      }
      const names = files.filter(({ kind }) => kind === 'file').map(({ name }) => name);
      expect(names.toSorted()).toEqual(given.map(({ name }) => name).toSorted());
    }),
  );
});
