import { isMap, isScalar, isSeq, LineCounter, type Node, type Pair, parseDocument, Scalar } from 'yaml';

/** A commit with one thing wrong in it. */
export interface Mutation {
  readonly title: string;
  /** Changed files; `null` stands for a symbolic link, undefined for a file that is gone. */
  readonly changes: Readonly<Record<string, string | null | undefined>>;
  /** The file that a fault must name. */
  readonly file: string;
  /** Lines one of which a fault must name. Absent: any of the file. */
  readonly lines?: readonly number[];
}

type Path = readonly (string | number)[];

const digest = 'ab'.repeat(32);
/** A site that uses every kind of key, each of them soundly. */
export const rich: Readonly<Record<string, string>> = {
  'boot.config.yaml': `site: lab
git: { remote: "https://example.org/site.git", branch: main, poll: 15s }
network:
  interface: eth1
  address: 10.20.0.1
  dhcp:
    mode: full
    range: [10.20.0.100, 10.20.0.199]
    lease: 12h
    router: 10.20.0.1
    dns: [10.20.0.1]
    domain: lab.example.org
  http: { port: 8480 }
  status: "127.0.0.1:8470"
store: { path: store }
trust: { publicKeys: [RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3] }
bootstrap: { cmdline: console=ttyS0 }
menu: { default: debian, timeout: 10s, shell: false }
swarm: { seedBudget: 30s, uploadLimit: 20M }
groups:
  - { name: render, match: { mac: ["52:54:00:aa:*"], arch: [amd64] }, image: debian, cmdline: quiet }
  - { name: office, match: {}, images: [debian, machine] }
`,
  'images/debian/image.yaml': `title: Debian 13
description: A text
arch: amd64
method: switch-root
switch-root: { modules: all, overlay: 512M }
source: { debian: { suite: trixie, packages: [openssh-server, curl] } }
cmdline: "quiet"
memory: 128M
expect: { heartbeat: 5m }
lab: { expect: welcome }
`,
  'images/installer/image.yaml': `title: Installer
arch: amd64
method: kexec
kexec: { unbind: [nouveau] }
source:
  files:
    kernel: { package: some-netboot, suite: trixie, path: usr/lib/linux }
    initrd: [one.img, { url: "https://example.org/two.img", sha256: ${digest} }]
`,
  'images/installer/one.img': 'x',
  'images/machine/image.yaml': `title: A virtual machine
arch: amd64
method: qemu
qemu:
  firmware: bios
  cpu: host
  cpus: 2
  memory: 512M
  display: serial
  network: user
  disks: [{ file: disk.qcow2, format: qcow2, interface: virtio }]
  arguments: ["-no-reboot"]
  restart: never
source: { files: { disk: [disk.qcow2] } }
`,
  'images/machine/disk.qcow2': 'x',
  'images/program/image.yaml': `title: A program
arch: amd64
method: exec
exec: { command: [/bin/true, x], environment: { A: b }, then: stay, modules: core }
source: { debian: { suite: trixie, packages: [] } }
`,
  'images/chain/image.yaml': `title: Another boot program
arch: amd64
method: chain
source: { files: { nbp: [undionly.kpxe, snponly.efi] } }
`,
  'images/chain/undionly.kpxe': 'x',
  'images/chain/snponly.efi': 'x',
};

const texts = Object.entries(rich).filter(([file]) => file.endsWith('.yaml'));
/** What no key takes, whatever its type. */
const wrongValues: readonly (readonly [string, unknown])[] = [
  ['a mapping', { a: { b: 1 } }],
  ['a list in a list', [[1]]],
  ['a control character', 'a\u0001b'],
];
/** Any text may be a variable of the environment. */
const isOpen = (path: Path) => path.join('.') === 'exec.environment';
/** Keys that may not be left out, by the path of what holds them without the numbers of lists. */
const required: Readonly<Record<string, readonly string[]>> = {
  '': ['site', 'network', 'menu', 'title', 'arch', 'method', 'source', 'exec'],
  network: ['interface'],
  menu: ['default'],
  groups: ['name', 'match'],
  expect: ['heartbeat'],
  exec: ['command'],
  'source.debian': ['suite', 'packages'],
  'source.files.kernel': ['package', 'suite', 'path'],
  'source.files.initrd': ['url', 'sha256'],
  'qemu.disks': ['file'],
};

/** Every mutation, always the same ones in the same order. */
export function mutations(): readonly Mutation[] {
  return [...texts.flatMap(([file, text]) => [...ofKeys(file, text), ...ofValues(file, text)]), ...ofTexts(), ...ofFiles()];
}

function ofKeys(file: string, text: string): Mutation[] {
  const mappings = placesIn(text).filter(({ node }) => isMap(node));
  return mappings.flatMap(({ path }) => {
    const unknown = isOpen(path)
      ? []
      : [change({ file, text, path: [...path, 'zzz'], title: 'an unknown key' }, (map) => map.set('zzz', 1))];
    return [...unknown, ...keysOf(text, path).flatMap((key) => ofKey({ file, text, path: [...path, key] }))];
  });
}

function ofKey(at: { file: string; text: string; path: Path }): Mutation[] {
  const key = String(at.path.at(-1));
  const twice = change({ ...at, title: 'a key twice', anywhere: true }, (map) => {
    const pair = map.items.find((one) => isScalar(one.key) && one.key.value === key);
    if (pair) map.items.push(pair.clone() as Pair<Scalar, Node>);
  });
  const holder = at.path.slice(0, -1).filter((step) => typeof step === 'string');
  if (!required[holder.join('.')]?.includes(key)) return [twice];
  const missing = { ...at, title: 'a missing key', anywhere: true };
  return [twice, change(missing, (map) => map.delete(key))];
}

function ofValues(file: string, text: string): Mutation[] {
  const scalars = placesIn(text).filter(({ node }) => isScalar(node));
  return scalars.flatMap(({ path }) =>
    wrongValues.flatMap(([title, value]) => {
      if (isOpen(path.slice(0, -1)) && typeof value === 'string') return [];
      if (title === 'a control character' && ['command', 'arguments', 'path'].includes(String(path.at(-2)))) return [];
      if (title === 'a control character' && ['store.path', 'lab.expect'].includes(path.join('.'))) return [];
      return [change({ file, text, path, title: `${title} as value` }, (map, key) => map.set(key, value))];
    }),
  );
}

interface Change {
  readonly file: string;
  readonly text: string;
  readonly path: Path;
  readonly title: string;
  /** The fault may stand at another line of the file. */
  readonly anywhere?: boolean;
}

type Holder = { items: Pair<Scalar, Node>[]; set(key: unknown, value: unknown): void; delete(key: unknown): void };

/** Changes what holds the last step of a path, and writes the document with one key a line. */
function change(about: Change, edit: (holder: Holder, key: string | number) => void): Mutation {
  const { file, text, path, title, anywhere = false } = about;
  const document = parseDocument(text);
  const holder = path.length > 1 ? document.getIn(path.slice(0, -1), true) : document.contents;
  edit(holder as unknown as Holder, path.at(-1) as string | number);
  const changed = document.toString({ collectionStyle: 'block', lineWidth: 0 });
  return {
    title: `${file}: ${title}: ${path.join('.')}`,
    changes: { [file]: changed },
    file,
    ...(!anywhere && { lines: linesOf(changed, path) }),
  };
}

/** The lines of a value and of what holds it: a choice between types is told where it stands. */
function linesOf(text: string, path: Path): readonly number[] {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines });
  const nodes = [path, path.slice(0, -1)].map((one) => document.getIn(one, true) as Node | undefined);
  return nodes.flatMap((node) => (node?.range ? [lines.linePos(node.range[0]).line] : []));
}

function placesIn(text: string): readonly { readonly path: Path; readonly node: unknown }[] {
  const walk = (node: unknown, path: Path): { path: Path; node: unknown }[] => {
    const inner = isMap(node)
      ? node.items.flatMap((pair) => walk(pair.value, [...path, String(pair.key)]))
      : isSeq(node)
        ? node.items.flatMap((item, index) => walk(item, [...path, index]))
        : [];
    return [{ path, node }, ...inner];
  };
  return walk(parseDocument(text).contents, []);
}

function keysOf(text: string, path: Path): readonly string[] {
  const map = placesIn(text).find((one) => one.path.join('\0') === path.join('\0'))?.node;
  return isMap(map) ? map.items.map((pair) => String(pair.key)) : [];
}

const debian = 'images/debian/image.yaml';
const installer = 'images/installer/image.yaml';
const config = 'boot.config.yaml';

/** Whole documents that are no definitions. */
function ofTexts(): Mutation[] {
  const text = rich[debian] ?? '';
  const bombs: readonly (readonly [string, string])[] = [
    ['an empty file', ''],
    ['only a comment', '# nothing\n'],
    ['a byte order mark alone', '\ufeff'],
    ['a null', '~\n'],
    ['a number', '42\n'],
    ['NUL bytes', `${text}\0\0`],
    ['tabs as indentation', 'title: x\nsource:\n\tdebian: {}\n'],
    ['an open quote', `${text}x: "abc\n`],
    ['an open list', `${text}x: [1, 2\n`],
    ['two documents', `${text}---\n${text}`],
    ['a merge key', `${text}<<: { title: x }\n`],
    ['a tag of a programming language', `${text}x: !!python/object/apply:os.system ["id"]\n`],
    ['an alias of nothing', `${text}x: *nothing\n`],
    ['a list that holds itself', `${text}x: &x [*x]\n`],
    ['a mapping that holds itself', `${text}x: &x { y: *x }\n`],
    ['aliases of aliases', billionLaughs(text)],
    ['aliases without end', `${text}x: &a [1]\ny: [${'*a, '.repeat(5000)}]\n`],
    ['lists without end', `${text}x: ${'['.repeat(5000)}${']'.repeat(5000)}\n`],
    ['mappings without end', `${text}x: ${'{ a: '.repeat(3000)}1${' }'.repeat(3000)}\n`],
    ['a file of 300 KB', `${text}# ${'x'.repeat(300_000)}\n`],
    ['a key of 100 KB', `${text}${'k'.repeat(100_000)}: 1\n`],
    ['ten thousand keys', text + Array.from({ length: 10_000 }, (_, index) => `k${index}: 1\n`).join('')],
    ['a list as the document', '- title\n'],
    ['conflict marks of git', `<<<<<<< HEAD\n${text}=======\n${text}>>>>>>> other\n`],
    ['keys that JavaScript knows', `${text}__proto__: { title: x }\n`],
    ['a constructor', `${text}constructor: 1\n`],
  ];
  return [debian, config].flatMap((file) =>
    bombs.map(([title, changed]) => ({ title: `${file}: ${title}`, changes: { [file]: changed }, file })),
  );
}

function billionLaughs(text: string): string {
  const names = ['a', 'b', 'c', 'd', 'e', 'f'];
  const line = (name: string, index: number) =>
    `${name}: &${name} [${index === 0 ? '1' : Array(9).fill(`*${names[index - 1]}`).join(', ')}]\n`;
  return text + names.map(line).join('');
}

/** Values that are of the right type and wrong nevertheless, and files that are not what they should be. */
function ofFiles(): Mutation[] {
  const values: readonly (readonly [file: string, from: string, to: readonly string[]])[] = [
    [installer, 'one.img', ['../one.img', '/etc/passwd', 'a/../../b', './one.img', 'a//b', 'none.img', '..', '""']],
    [installer, 'usr/lib/linux', ['/usr/lib/linux', 'usr/../../x', '../../etc/shadow']],
    [installer, `sha256: ${digest}`, shaFaults.map((one) => `sha256: ${one}`)],
    [installer, '"https://example.org/two.img"', ['file:///etc/passwd', 'ftp://a/b', 'javascript:1', '"https://a b/c"']],
    [installer, 'some-netboot', ['-o=x', 'A', '../x', '"a b"', '"a;id"']],
    [installer, 'nouveau', ['../x', '"a b"']],
    [debian, 'trixie', ['../trixie', '"a b"', 'TRIXIE', '"-x"']],
    [debian, 'switch-root\nswitch-root', ['kexec\nswitch-root', 'local\nswitch-root', 'install\nswitch-root']],
    [debian, '"quiet"', ['"a\\nb"', `"${'x'.repeat(1501)}"`, '"\u00fc"']],
    [debian, '128M', ['128', '-1M', '1.5.2M', '128X', '"128 M B"']],
    [debian, '5m', ['5', '-5m', 'soon']],
    [config, 'default: debian', ['default: nobody', 'default: ../x', 'default: ""']],
    [config, 'image: debian', ['image: nobody']],
    [config, '[debian, machine]', ['[debian, nobody]', '[]']],
    [config, 'name: office', ['name: render', 'name: "../x"', 'name: A']],
    [config, '[10.20.0.100, 10.20.0.199]', rangeFaults],
    [config, 'https://example.org/site.git', ['ext::sh -c id', '--upload-pack=id', 'git://a/b', '-oProxyCommand=id']],
    [config, 'branch: main', ['branch: --exec', 'branch: a..b', 'branch: "a b"', 'branch: "x.lock"', 'branch: "a@{1}"']],
    [config, 'port: 8480', ['port: 0', 'port: 70000', 'port: -1', 'port: 80.5', 'port: "80"']],
    [config, 'interface: eth1', ['interface: ../eth1', 'interface: "a b"', 'interface: abcdefghijklmnopq']],
    [config, 'lease: 12h', ['lease: 1s', 'lease: 12', 'lease: -1h']],
    [config, '"52:54:00:aa:*"', ['"52:54:00:zz:*"', '"52:54:00:aa:bb:cc:dd"', '"*;id"']],
    [config, 'RWQf6', ['RWQf7x', '', 'untrusted comment: ']],
  ];
  return [
    ...values.flatMap(([file, from, all]) => all.map((to) => replaced(file, from, to))),
    { title: 'no boot.config.yaml', changes: { [config]: undefined }, file: config, lines: [1] },
    { title: 'no image.yaml', changes: { [debian]: undefined, 'images/debian/x': 'x' }, file: debian, lines: [1] },
    { title: 'a file that is gone', changes: { 'images/installer/one.img': undefined }, file: installer },
    { title: 'a file that is a link', changes: { 'images/installer/one.img': null }, file: installer },
    { title: 'image.yaml is a link', changes: { [debian]: null }, file: debian, lines: [1] },
    { title: 'boot.config.yaml is a link', changes: { [config]: null }, file: config, lines: [1] },
    { title: 'a link in an overlay', changes: link('images/debian/overlay/etc/shadow'), file: 'images/debian/overlay/etc/shadow' },
    { title: 'a folder with capitals', changes: { 'images/Debian/image.yaml': rich[debian] }, file: 'images/Debian/image.yaml' },
    { title: 'a folder with a space', changes: { 'images/a b/image.yaml': rich[debian] }, file: 'images/a b/image.yaml' },
  ];
}

const shaFaults = ['ab', digest.toUpperCase(), `${digest}a`, 'x'.repeat(64), 'null', '0'.repeat(63)];
const rangeFaults = [
  ...['[10.20.0.199, 10.20.0.100]', '[10.20.0.100, 10.21.0.1]', '[10.20.0.100]', '[127.0.0.1, 127.0.0.9]', '[]'],
  ...['[10.20.0.1, 10.20.0.9]', '[10.20.0.100, 10.20.0.255]', '[10.20.0.256, 10.20.0.300]', '["::1", "::2"]'],
];

function link(path: string): Readonly<Record<string, null>> {
  return { [path]: null };
}

function replaced(file: string, from: string, to: string): Mutation {
  const text = rich[file] ?? '';
  if (!text.includes(from)) throw new RangeError(`${file} has no ${from}`);
  return { title: `${file}: ${from} becomes ${to.slice(0, 40)}`, changes: { [file]: text.replace(from, to) }, file };
}
