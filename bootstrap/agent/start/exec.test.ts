import { expect, it } from 'vitest';
import type { ExecStart } from '#bundle/start.ts';
import { bootstrapPaths } from '../paths.ts';
import { execArguments } from './exec.ts';

const start: ExecStart = {
  method: 'exec',
  modules: 'none',
  command: ['report', '--title', 'a b $c "d"'],
  environment: { LANG: 'C.UTF-8', NOTE: 'x=y z' },
  afterwards: 'stay',
};

it('execArguments() runs the program with exactly its environment, and a PATH', () => {
  expect(execArguments(start, '/usr/bin/report', bootstrapPaths)).toEqual([
    ...['chroot', '/newroot', '/run/boottorrent/bin/busybox', 'env', '-i'],
    'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    ...['LANG=C.UTF-8', 'NOTE=x=y z'],
    ...['/usr/bin/report', '--title', 'a b $c "d"'],
  ]);
});

it('execArguments() leaves a PATH of the definition alone', () => {
  const argv = execArguments({ ...start, environment: { PATH: '/opt/bin' } }, '/opt/bin/report', bootstrapPaths);
  expect(argv.filter((one) => one.startsWith('PATH='))).toEqual(['PATH=/opt/bin']);
});
