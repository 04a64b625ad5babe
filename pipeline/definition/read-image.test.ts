import { expect, test } from 'vitest';
import { formatFault } from '#bundle/fault.ts';
import { recordReader } from '#bundle/record.ts';
import { parseStart } from '#bundle/start.ts';
import type { ImageDefinition } from './image.ts';
import { readImage } from './read-image.ts';

const head = 'title: T\narch: amd64\n';
const rootfs = 'source: { files: { rootfs: r.squashfs } }\n';
const virtual = `${head}method: qemu\nsource: { files: { disk: [d/a.img, b.qcow2] } }\n`;
const program = `${head}method: exec\n${rootfs}exec: { command: [run] }\n`;
const chain = `${head}method: chain\nsource: { files: { nbp: [a.bin, a.efi] } }\n`;
const kexec = `${head}method: kexec\nsource: { debian: { suite: trixie, packages: [] } }\n`;

function read(text: string): ImageDefinition {
  const { value, faults } = readImage('image.yaml', { name: 'x', text });
  expect(faults.map((fault) => formatFault(fault))).toEqual([]);
  return value as ImageDefinition;
}

function names({ source }: ImageDefinition): readonly string[] {
  return source.kind === 'files' ? source.files.map(({ name }) => name) : [];
}

test.each<[string, string, unknown]>([
  ['kexec', kexec, { method: 'kexec', unbind: [] }],
  ['kexec with drivers', `${kexec}kexec: { unbind: [nouveau] }\n`, { method: 'kexec', unbind: ['nouveau'] }],
  ['switch-root', `${head}method: switch-root\n${rootfs}`, { method: 'switch-root', modules: 'all' }],
  [
    'switch-root with settings',
    `${head}method: switch-root\nswitch-root: { modules: core, overlay: 512M }\n${rootfs}`,
    { method: 'switch-root', modules: 'core', overlayBytes: 512 * 1024 * 1024 },
  ],
  ['exec', program, { method: 'exec', modules: 'all', command: ['run'], environment: {}, afterwards: 'stay' }],
  [
    'exec with settings',
    program.replace('[run]', '[run, "a b", ""], environment: { A_1: "x y" }, then: poweroff, modules: none'),
    {
      method: 'exec',
      modules: 'none',
      command: ['run', 'a b', ''],
      environment: { A_1: 'x y' },
      afterwards: 'poweroff',
    },
  ],
  ['chain', chain, { method: 'chain' }],
  ['local', `${head}method: local\n`, { method: 'local' }],
  [
    'qemu',
    virtual.replace('] } }', '], cdrom: c.iso, floppy: f.img } }'),
    {
      method: 'qemu',
      firmware: 'bios',
      cpu: 'max',
      cpus: 1,
      memoryBytes: 512 * 1024 * 1024,
      display: 'serial',
      network: 'user',
      disks: [
        { file: 'a.img', format: 'raw', interface: 'virtio' },
        { file: 'b.qcow2', format: 'qcow2', interface: 'virtio' },
      ],
      cdrom: 'c.iso',
      floppy: 'f.img',
      arguments: [],
      restart: 'never',
    },
  ],
  [
    'qemu with settings',
    `${virtual.replace('[d/a.img, b.qcow2]', 'a.img')}qemu:
  { firmware: uefi, cpu: "host,-vmx", cpus: 4, memory: 2G, display: vga, network: bridge, restart: on-failure,
    disks: [{ file: a.img, format: qcow2, interface: nvme }] }
`,
    {
      method: 'qemu',
      firmware: 'uefi',
      cpu: 'host,-vmx',
      cpus: 4,
      memoryBytes: 2 * 1024 ** 3,
      display: 'vga',
      network: 'bridge',
      disks: [{ file: 'a.img', format: 'qcow2', interface: 'nvme' }],
      arguments: [],
      restart: 'on-failure',
    },
  ],
])('readImage() reads the settings of %s, and a catalog takes them', (_, text, start) => {
  const image = read(text);
  expect(image.start).toEqual(start);
  expect(parseStart(recordReader(JSON.parse(JSON.stringify(image.start)), 'the start', 'X'))).toEqual(start);
});

test('readImage() leaves arguments of QEMU as they are written', () => {
  // biome-ignore lint/suspicious/noTemplateCurlyInString: nothing may expand it
  const written = ['-append', 'a "b" \'c\'', 'k=v,,w, x', '$HOME ${x} `id`', 'back\\slash\\n', '', '  two  ', 'ü'];
  const { start } = read(`${virtual}qemu: { arguments: ${JSON.stringify(written)} }\n`);
  expect(start).toMatchObject({ arguments: written });
});

test('readImage() keeps the order of initrds and layers in names that sort so', () => {
  const kernel = 'kernel: k, initrd: [z.img, sub/a.img, a.img]';
  expect(names(read(`${head}method: kexec\nsource: { files: { ${kernel} } }\n`))).toEqual([
    'k',
    '00-z.img',
    '01-a.img',
    '02-a.img',
  ]);
  expect(names(read(program.replace('r.squashfs', '[z, a]')))).toEqual(['00-z', '01-a']);
  expect(names(read(program))).toEqual(['r.squashfs']);
});

test.each<[string, string, Partial<ImageDefinition>]>([
  ['an image', kexec, { memoryBytes: 96 * 1024 * 1024 }],
  ['a virtual machine', virtual, { memoryBytes: 0 }],
  ['a local disk', `${head}method: local\n`, { memoryBytes: 0, source: { kind: 'files', files: [] } }],
  ['memory', `${kexec}memory: 1G\n`, { memoryBytes: 1024 ** 3 }],
  ['a heartbeat', `${kexec}expect: heartbeat\n`, { heartbeatMs: 300_000 }],
  ['a limit of a heartbeat', `${kexec}expect: { heartbeat: 90s }\n`, { heartbeatMs: 90_000 }],
  ['a description', `${kexec}description: |\n  One\n  two\n`, { description: 'One\ntwo' }],
])('readImage() reads %s', (_, text, wanted) => {
  expect(read(text)).toMatchObject(wanted);
});

test.each<[string, string, string]>([
  ['a section of another method', `${kexec}qemu: {}\n`, '5:1: SECTION_UNFIT Cannot use qemu: the method is kexec'],
  [
    'exec without a command',
    program.replace('exec: { command: [run] }\n', ''),
    '1:1: KEY_MISSING Cannot use the file: exec is missing, which says what is run',
  ],
  [
    'an empty command',
    program.replace('[run]', '[]'),
    '5:18: VALUE_INVALID Cannot use exec.command: a list of 0, expected a list: the program and its arguments',
  ],
  [
    'a variable with a strange name',
    program.replace('[run]', '[run], environment: { "A B": x }'),
    '5:40: VALUE_INVALID Cannot use exec.environment: "A B" is no name of a variable',
  ],
  [
    'a variable that is a number',
    program.replace('[run]', '[run], environment: { A: 1 }'),
    '5:43: VALUE_INVALID Cannot use exec.environment.A: 1, expected a text of at most 4096 characters',
  ],
  [
    'an unknown end',
    program.replace('[run]', '[run], then: halt'),
    '5:31: VALUE_INVALID Cannot use exec.then: "halt", expected stay, reboot or poweroff',
  ],
  [
    'an argument with a zero byte',
    `${virtual}qemu: { arguments: ["a\\0b"] }\n`,
    '5:21: VALUE_INVALID Cannot use qemu.arguments[0]: "a\\u0000b", expected a text of at most 4096 characters',
  ],
  [
    'a disk that is no file',
    `${virtual}qemu: { disks: [{ file: a.img }, { file: b.qcow }] }\n`,
    '5:9: DISK_UNUSED Cannot use qemu.disks: the file b.qcow2 is none of them',
  ],
  [
    'a disk twice',
    `${virtual}qemu: { disks: [{ file: a.img }, { file: a.img }, { file: b.qcow2 }] }\n`,
    '5:42: NAME_DUPLICATE Cannot use qemu.disks[1].file: "a.img" is another disk already',
  ],
  [
    'a disk where there is none',
    `${head}method: qemu\nsource: { files: { cdrom: a.iso } }\nqemu: { disks: [{ file: a.img }] }\n`,
    '5:25: FILE_UNKNOWN Cannot use qemu.disks[0].file: "a.img", source.files has no disk',
  ],
  [
    'too many processors',
    `${virtual}qemu: { cpus: 0 }\n`,
    '5:15: VALUE_INVALID Cannot use qemu.cpus: 0, expected a number from 1 to 1024',
  ],
  [
    'an unknown firmware',
    `${virtual}qemu: { firmware: efi }\n`,
    '5:19: VALUE_INVALID Cannot use qemu.firmware: "efi", expected bios or uefi',
  ],
  [
    'a size in words',
    `${virtual}qemu: { memory: much }\n`,
    '5:17: VALUE_INVALID Cannot use qemu.memory: "much", expected a size such as 512M',
  ],
  [
    'a root filesystem in a virtual machine',
    virtual.replace('disk: [', 'rootfs: r, disk: ['),
    '4:1: SOURCE_UNFIT Cannot use source: qemu needs files: { disk: … }, cdrom, floppy or file, and nothing else',
  ],
  [
    'two programs for one firmware',
    chain.replace('a.efi', 'b.bin'),
    '4:25: NBP_AMBIGUOUS Cannot use source.files.nbp: a.bin and b.bin are for the same firmware',
  ],
  [
    'chain of a kernel',
    chain.replace('nbp', 'kernel').replace('[a.bin, a.efi]', 'k'),
    '4:1: SOURCE_UNFIT Cannot use source: chain needs files: { nbp: … } and nothing else',
  ],
  ['local with files', `${head}method: local\n${rootfs}`, '4:1: SOURCE_UNFIT Cannot use source: local needs none'],
  [
    'no source',
    `${head}method: exec\nexec: { command: [run] }\n`,
    '1:1: KEY_MISSING Cannot use the file: source is missing, exec needs debian, oci, directory, or files: { rootfs: … } and nothing else',
  ],
  [
    'a heartbeat of a foreign system',
    `${chain}expect: heartbeat\n`,
    '5:1: EXPECT_UNFIT Cannot use expect: what chain starts here cannot send a heartbeat',
  ],
  [
    'an unknown expectation',
    `${kexec}expect: { heartbeat: soon }\n`,
    '5:22: VALUE_INVALID Cannot use expect.heartbeat: "soon", expected a number and a unit (ms, s, m, h, d), such as 5m',
  ],
  [
    'memory of a virtual machine',
    `${virtual}memory: 1G\n`,
    '5:1: MEMORY_UNFIT Cannot use memory: qemu starts no system in the RAM of the bootstrap',
  ],
  [
    'a description that would move the cursor',
    `${kexec}description: "a\\eb"\n`,
    '5:14: VALUE_INVALID Cannot use description: "a\\u001bb", expected a text of 1 to 2000 characters',
  ],
])('readImage() refuses %s, with its place', (_, text, wanted) => {
  const { value, faults } = readImage('image.yaml', { name: 'x', text });
  expect(value).toBeUndefined();
  const said = faults.map((fault) => formatFault(fault).replace(/^image\.yaml:(\d+:\d+): /, `$1: ${fault.code} `));
  expect(said).toContain(wanted);
  expect(faults.every((fault) => fault.hint && fault.retry === 'stalled')).toBe(true);
});
