import { expect, it } from 'vitest';
import { checkBudget, share } from './sizes.ts';

it('share() gives rows in proportion that add up to the total exactly', () => {
  const rows = share(100, [
    { name: 'a', bytes: 1 },
    { name: 'b', bytes: 1 },
    { name: 'c', bytes: 1 },
  ]);
  expect(rows.map(({ bytes }) => bytes)).toEqual([33, 34, 33]);
});

it('checkBudget() takes what fits to the byte, and names the largest parts of what does not', () => {
  const sizes = [
    { name: 'kernel', bytes: 12_000_000 },
    { name: 'agent', bytes: 1 },
  ];
  checkBudget(sizes, 12_000_001);
  expect(() => checkBudget(sizes, 12_000_000)).toThrow(
    expect.objectContaining({ code: 'BOOTSTRAP_TOO_LARGE', hint: expect.stringContaining('12.00 MB    kernel') }),
  );
});
