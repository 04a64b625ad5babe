import { expect, test } from 'vitest';
import { debianRequest } from './debian.ts';
import { recipeOf } from './recipe.ts';
import { treeRecipe } from './tree.ts';

const image = { suite: 'trixie', arch: 'amd64', packages: ['systemd-sysv'], method: 'switch-root' } as const;

test('debianRequest() adds the suite’s kernel for kexec alone, and where no kernel is named', () => {
  const added = (change: object) => debianRequest({ ...image, ...change }).packages;
  expect(added({})).toEqual(['?essential', 'systemd-sysv']);
  expect(added({ method: 'kexec' })).toEqual(['?essential', 'systemd-sysv', 'linux-image-amd64']);
  expect(added({ method: 'kexec', arch: 'arm64' })).toContain('linux-image-arm64');
  const named = ['linux-image-cloud-amd64', 'systemd-sysv'];
  expect(added({ method: 'kexec', packages: named })).toEqual(['?essential', ...named]);
});

test('the recipe of kexec also follows the first stage', async () => {
  const recipe = (method: 'kexec' | 'exec' | 'switch-root') => recipeOf(treeRecipe(method));
  expect(await recipe('kexec')).not.toBe(await recipe('exec'));
  expect(await recipe('exec')).toBe(await recipe('switch-root'));
});
