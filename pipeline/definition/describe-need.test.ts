import { expect, test } from 'vitest';
import { describeNeed } from './describe-need.ts';
import type { ImageDefinition } from './image.ts';
import { readImage } from './read-image.ts';

const debian = 'source: { debian: { suite: trixie, packages: [PACKAGE] } }\n';

test.each([
  [
    `method: switch-root\n${debian}memory: 128M\nexpect: heartbeat\n`,
    'RAM for its files and 128 MiB, all kernel modules, a heartbeat within 300 s',
  ],
  [`method: switch-root\nswitch-root: { modules: none }\n${debian}`, 'RAM for its files and 96 MiB'],
  [
    `method: exec\nexec: { command: [run], modules: core }\n${debian}`,
    'RAM for its files and 96 MiB, core kernel modules',
  ],
  [
    `method: kexec\n${debian}`,
    'RAM for its files as often as kexec copies them, at least 96 MiB, a kernel, the suite’s usual one',
  ],
  [
    `method: kexec\n${debian.replace('PACKAGE', 'linux-image-cloud-amd64')}`,
    'RAM for its files as often as kexec copies them, at least 96 MiB',
  ],
  [
    'method: qemu\nsource: { files: { cdrom: a.iso } }\n',
    'RAM for its files and 512 MiB for the virtual machine, the part qemu',
  ],
  ['method: local\n', 'nothing: the boot script starts it'],
])('describeNeed() says what a node needs for %j', (text, wanted) => {
  const whole = `title: T\narch: amd64\n${text.replace('PACKAGE', 'bash')}`;
  const { value } = readImage('image.yaml', { name: 'x', text: whole });
  expect(describeNeed(value as ImageDefinition)).toBe(wanted);
});
