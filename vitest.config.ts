import { defineConfig } from 'vitest/config';

const everything = ['{pipeline,runtime,bootstrap}/**/*.test.ts'];
const real = '**/*.real.test.ts';
const boot = '**/*.boot.test.ts';

/**
 * Three kinds of tests by file name: `name.test.ts` is pure and fast (what `npm run check` runs), `name.real.test.ts`
 * starts real programs on loopback or in network namespaces, `name.boot.test.ts` boots virtual machines.
 */
export default defineConfig({
  test: {
    projects: [
      { test: { name: 'unit', include: everything, exclude: [real, boot], testTimeout: 30_000 } },
      {
        test: {
          name: 'real',
          include: [real],
          exclude: ['node_modules/**'],
          testTimeout: 120_000,
          hookTimeout: 300_000,
          fileParallelism: false,
          sequence: { groupOrder: 1 },
        },
      },
      {
        test: {
          name: 'boot',
          include: [boot],
          exclude: ['node_modules/**'],
          testTimeout: 400_000,
          hookTimeout: 600_000,
          fileParallelism: false,
          sequence: { groupOrder: 2 },
        },
      },
    ],
  },
});
