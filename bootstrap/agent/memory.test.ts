import { expect, it } from 'vitest';
import { checkMemory, parseMemory } from './memory.ts';

const mebibyte = 1024 * 1024;

it('parseMemory() reads /proc/meminfo', () => {
  const text = 'MemTotal:         475936 kB\nMemFree:          371112 kB\nMemAvailable:     390000 kB\n';
  expect(parseMemory(text)).toEqual({ totalBytes: 475_936 * 1024, availableBytes: 390_000 * 1024 });
});

it('checkMemory() says what is missing before anything is downloaded', () => {
  const memory = { availableBytes: 400 * mebibyte, totalBytes: 464 * mebibyte };
  expect(() => checkMemory(memory, { needBytes: 400 * mebibyte, name: 'os' })).not.toThrow();
  expect(() => checkMemory(memory, { needBytes: 500 * mebibyte, name: 'os' })).toThrow(
    expect.objectContaining({
      code: 'MEMORY_INSUFFICIENT',
      message: "Cannot boot os: it needs 500 MiB of memory, 400 of this machine's 464 MiB are free, 100 are missing",
    }),
  );
});
