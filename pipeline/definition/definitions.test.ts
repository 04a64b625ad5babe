import { expect, test } from 'vitest';
import { encodeBase64 } from '#bundle/base64.ts';
import { type Fault, formatFault } from '#bundle/fault.ts';
import { readDefinitions } from './definitions.ts';
import { broken, config, debian, image, installer, kexec, site, sound } from './testdata/broken.ts';
import { memoryFiles } from './testdata/memory-files.ts';

test('readDefinitions() reads a sound commit with defaults filled in', async () => {
  const { definitions, faults, warnings } = await readDefinitions(memoryFiles(sound));
  expect(faults).toEqual([]);
  expect(warnings).toEqual([]);
  expect(definitions?.site).toEqual({
    site: 'lab',
    git: { remote: '.', pollMs: 15_000, verify: 'off' },
    network: {
      interface: 'eth1',
      dhcp: { mode: 'full', range: ['10.20.0.100', '10.20.0.199'], leaseMs: 43_200_000, dns: [] },
      http: { port: 8480 },
      status: '127.0.0.1:8470',
    },
    store: { path: '.boottorrent/store' },
    build: 'local',
    trust: { publicKeys: [] },
    bootstrap: { cmdline: 'console=tty0 console=ttyS0' },
    menu: { default: 'debian', timeoutMs: 10_000, shell: false },
    swarm: { seedBudgetMs: 30_000 },
    sources: { hosts: [], directories: [], plainHttp: [], commands: false },
    groups: [{ name: 'render', match: { mac: ['52:54:00:aa:*'] }, image: 'debian', cmdline: 'quiet' }],
  });
  expect(definitions?.images).toEqual([
    {
      name: 'debian',
      title: 'Debian 13',
      arch: 'amd64',
      start: { method: 'switch-root', modules: 'all' },
      memoryBytes: 96 * 1024 * 1024,
      source: { kind: 'debian', suite: 'trixie', packages: ['openssh-server'] },
      run: [],
      values: {},
      cmdline: 'boottorrent.demo=1',
      lab: {},
    },
    {
      name: 'installer',
      title: 'Installer',
      arch: 'amd64',
      start: { method: 'kexec', unbind: [] },
      memoryBytes: 96 * 1024 * 1024,
      source: {
        kind: 'files',
        files: [
          {
            role: 'kernel',
            name: 'linux',
            origin: { kind: 'package', package: 'some-netboot', suite: 'trixie', path: 'usr/lib/linux' },
          },
          { role: 'initrd', name: '00-one.img', origin: { kind: 'path', path: 'one.img' } },
          {
            role: 'initrd',
            name: '01-two.img',
            origin: { kind: 'url', url: 'https://example.org/two.img', sha256: 'ab'.repeat(32) },
          },
        ],
      },
      run: [],
      values: {},
      cmdline: '',
      lab: { expect: 'welcome' },
    },
  ]);
});

test('readDefinitions() refuses a group that offers an image which nobody defines', async () => {
  const files = memoryFiles({ ...sound, [config]: site.replace('image: debian', 'images: [debian, instaler]') });
  const { definitions, faults } = await readDefinitions(files);
  expect(definitions).toBeUndefined();
  expect(faults.map(summary)).toEqual([
    'boot.config.yaml:7:73: IMAGE_UNKNOWN Cannot find image "instaler": expected one of debian, installer',
  ]);
  expect(faults[0]?.hint).toBe('Write installer');
});

test.each(broken)('readDefinitions() refuses %s', async (_, file, from, to, faults) => {
  expect(sound[file]).toContain(from);
  const files = memoryFiles({ ...sound, [file]: sound[file]?.replace(from, to) ?? '' });
  const result = await readDefinitions(files);
  expect(result.definitions).toBeUndefined();
  expect(result.faults.map(summary)).toEqual(faults);
  expect(result.faults.every((fault) => fault.hint && fault.retry === 'stalled')).toBe(true);
});

test.each([
  [
    'a missing boot.config.yaml',
    { [config]: undefined },
    ['boot.config.yaml:1:1: FILE_MISSING Cannot read boot.config.yaml: there is no such file'],
  ],
  [
    'a folder without image.yaml',
    { 'images/x/overlay/a': '' },
    ['images/x/image.yaml:1:1: FILE_MISSING Cannot read images/x/image.yaml: there is no such file'],
  ],
  [
    'a folder with a strange name',
    { 'images/X y/image.yaml': debian },
    [
      'images/X y/image.yaml:1:1: NAME_INVALID Cannot use images/X y: expected a name of lower-case letters, digits and hyphens, at most 63',
    ],
  ],
  [
    'a symbolic link',
    { 'images/debian/overlay/etc/shadow': null },
    [
      'images/debian/overlay/etc/shadow:1:1: SYMLINK_REFUSED Cannot use images/debian/overlay/etc/shadow: it is no regular file',
    ],
  ],
  [
    'a bomb of aliases',
    { [image]: `${debian}x: &a [1]\ny: [${'*a, '.repeat(11)}]\n` },
    ['images/debian/image.yaml:7:45: YAML_INVALID Cannot read the file as YAML: it has more than 10 aliases'],
  ],
  [
    'a document that is too deep',
    { [image]: `${debian}x: ${'['.repeat(30)}${']'.repeat(30)}\n` },
    ['images/debian/image.yaml:6:23: YAML_INVALID Cannot read the file as YAML: it is nested more than 20 levels deep'],
  ],
  [
    'a document that is too large',
    { [image]: `${debian}#${'x'.repeat(300_000)}\n` },
    ['images/debian/image.yaml:1:1: YAML_INVALID Cannot read the file as YAML: it is larger than 256 KiB'],
  ],
  [
    'a secret key',
    {
      'images/debian/overlay/key': `\n${encodeBase64(Uint8Array.from([0x45, 0x64, 0x53, 0x63, 0x42, 0x32, ...new Array(152).fill(7)]))}`,
    },
    ['images/debian/overlay/key:2:1: SECRET_KEY_COMMITTED Cannot use this commit: it holds a minisign secret key'],
  ],
])('readDefinitions() refuses %s', async (_, changes, faults) => {
  const result = await readDefinitions(memoryFiles({ ...sound, ...changes }));
  expect(result.definitions).toBeUndefined();
  expect(result.faults.map(summary)).toEqual(faults);
});

test('readDefinitions() reports all faults of a commit together, in order', async () => {
  const files = memoryFiles({
    ...sound,
    [config]: site.replace('12h', 'soon').replace('debian,', 'debain,'),
    [image]: debian.replace('amd64', 'i386').replace('cmdline', 'cmdlin'),
    [kexec]: installer.replace('kexec', 'kexek'),
  });
  const { faults } = await readDefinitions(files);
  expect(faults.map(({ code, location }) => [location?.file, location?.line, code])).toEqual([
    [config, 4, 'VALUE_INVALID'],
    [config, 5, 'IMAGE_UNKNOWN'],
    [image, 2, 'VALUE_INVALID'],
    [image, 5, 'KEY_UNKNOWN'],
    [kexec, 3, 'VALUE_INVALID'],
  ]);
});

test('readDefinitions() lays settings over the file, and checks what comes out', async () => {
  const settings = {
    network: { interface: 'lab0', dhcp: { lease: '2m' } },
    menu: { default: 'installer' },
    groups: [],
  };
  const { definitions } = await readDefinitions(memoryFiles(sound), settings);
  expect(definitions?.site.network.interface).toBe('lab0');
  expect(definitions?.site.network.dhcp).toMatchObject({ leaseMs: 120_000, range: ['10.20.0.100', '10.20.0.199'] });
  expect(definitions?.site.menu).toEqual({ default: 'installer', timeoutMs: 10_000, shell: false });
  expect(definitions?.site.groups).toEqual([]);
  const { faults } = await readDefinitions(memoryFiles(sound), { menu: { default: 'nowhere' } });
  expect(faults.map((fault) => fault.code)).toEqual(['IMAGE_UNKNOWN']);
});

test('readDefinitions() warns of parameters that only a starting kernel reads', async () => {
  const files = memoryFiles({ ...sound, [image]: debian.replace('boottorrent.demo=1', 'quiet mem=1G nr_cpus=1') });
  const { definitions, warnings } = await readDefinitions(files);
  expect(definitions).toBeDefined();
  expect(warnings.map(summary)).toEqual([
    'images/debian/image.yaml:5:10: KERNEL_PARAMETER_IGNORED Parameter mem has no effect: the kernel runs already',
    'images/debian/image.yaml:5:10: KERNEL_PARAMETER_IGNORED Parameter nr_cpus has no effect: the kernel runs already',
  ]);
});

function summary(fault: Fault): string {
  return formatFault(fault).replace(/^(\S[^:]*:\d+:\d+: )/, `$1${fault.code} `);
}
