import { expect, it } from 'vitest';
import { benchTable, spread } from './bench-table.ts';

it('spread() tells the median, and half of the range of several runs', () => {
  expect(spread([])).toBe('none');
  expect(spread([12.34])).toBe('12.3 s');
  expect(spread([14, 10, 11])).toBe('11.0 s ± 2.0');
  expect(spread([10, 12])).toBe('11.0 s ± 1.0');
});

it('benchTable() is Markdown with aligned columns', () => {
  const runs = [{ agentSeconds: 10, upSeconds: 25.5 }];
  expect(benchTable(new Map([[{ method: 'kexec', image: 'debian-kexec', firmware: 'bios' }, runs]]))).toBe(
    [
      '| method | image        | firmware | power-on → agent | agent → target | runs |',
      '| ------ | ------------ | -------- | ---------------- | -------------- | ---- |',
      '| kexec  | debian-kexec | bios     | 10.0 s           | 15.5 s         | 1    |',
    ].join('\n'),
  );
});
