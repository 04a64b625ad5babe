import { expect, test } from 'vitest';
import { Fault } from '#bundle/fault.ts';
import { asDiskFault, withDiskFaults } from './disk-fault.ts';

function systemError(code: string, path?: string): Error {
  return Object.assign(new Error(code), { code, syscall: 'write', ...(path !== undefined && { path }) });
}

test('asDiskFault() names the path and a remedy', () => {
  expect(asDiskFault(systemError('ENOSPC'), '/state')).toMatchObject({
    code: 'DISK_FULL',
    message: 'Cannot use /state: the disk is full (write: ENOSPC)',
    hint: expect.stringContaining('gc'),
  });
  expect(asDiskFault(systemError('EMFILE', '/state/a'), '/state')).toMatchObject({
    code: 'FILES_OPEN',
    message: expect.stringContaining('/state/a'),
  });
});

test('asDiskFault() leaves everything else as it is', () => {
  const fault = new Fault('A', 'b');
  const others = [fault, systemError('ENOENT'), new Error('x'), 'text', undefined];
  expect(others.map((one) => asDiskFault(one, '/state'))).toEqual(others);
});

test('withDiskFaults() passes values, results and other errors on', async () => {
  const guarded = withDiskFaults(
    {
      path: 'p',
      plain: (one: number) => one + 1,
      later: async () => 'done',
      full: async () => Promise.reject(systemError('ENOSPC')),
      gone: async () => Promise.reject(systemError('ENOENT')),
    },
    '/state',
  );
  expect([guarded.path, guarded.plain(1), await guarded.later()]).toEqual(['p', 2, 'done']);
  await expect(guarded.full()).rejects.toMatchObject({ code: 'DISK_FULL' });
  await expect(guarded.gone()).rejects.toMatchObject({ code: 'ENOENT' });
});
