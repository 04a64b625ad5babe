// Sound definitions, and what must be said when one thing in them is broken. Read by definitions.test.ts.
export const site = `site: lab
network:
  interface: eth1
  dhcp: { mode: full, range: [10.20.0.100, 10.20.0.199], lease: 12h }
menu: { default: debian, timeout: 10s }
groups:
  - { name: render, match: { mac: ["52-54-00-AA:*"] }, image: debian, cmdline: "quiet" }
`;
export const debian = `title: Debian 13
arch: amd64
method: switch-root
source: { debian: { suite: trixie, packages: [openssh-server] } }
cmdline: "boottorrent.demo=1"
`;
export const installer = `title: Installer
arch: amd64
method: kexec
source:
  files:
    kernel: { package: some-netboot, suite: trixie, path: usr/lib/linux }
    initrd: [one.img, { url: "https://example.org/two.img", sha256: ${'ab'.repeat(32)} }]
lab: { expect: "welcome" }
`;
export const sound: Record<string, string> = {
  'boot.config.yaml': site,
  'images/README.md': 'not an image',
  'images/debian/image.yaml': debian,
  'images/debian/overlay/etc/motd': 'hello',
  'images/installer/image.yaml': installer,
  'images/installer/one.img': 'x',
};

export const config = 'boot.config.yaml';
export const image = 'images/debian/image.yaml';
export const kexec = 'images/installer/image.yaml';
/** What is replaced by what in which file, and the whole faults that must come out. */
export const broken: readonly [title: string, file: string, from: string, to: string, faults: readonly string[]][] = [
  [
    'an unknown key',
    image,
    'cmdline:',
    'cmdlin:',
    [
      'images/debian/image.yaml:5:1: KEY_UNKNOWN Cannot use key "cmdlin": expected one of title, description, arch, method, kexec, switch-root, qemu, exec, source, run, values, cmdline, memory, expect, lab (did you mean cmdline?)',
    ],
  ],
  [
    'an unknown key deep inside',
    config,
    'lease: 12h',
    'leese: 12h',
    [
      'boot.config.yaml:4:58: KEY_UNKNOWN Cannot use key "leese": expected one of mode, range, lease, router, dns, domain (did you mean lease?)',
    ],
  ],
  [
    'a missing key',
    image,
    'title: Debian 13\n',
    '',
    ['images/debian/image.yaml:1:1: KEY_MISSING Cannot use the file: title is missing'],
  ],
  [
    'a missing key deep inside',
    config,
    '  interface: eth1\n',
    '',
    ['boot.config.yaml:3:3: KEY_MISSING Cannot use network: network.interface is missing'],
  ],
  [
    'a duration without a unit',
    config,
    '12h',
    '12',
    [
      'boot.config.yaml:4:65: VALUE_INVALID Cannot use network.dhcp.lease: 12, expected a number and a unit (ms, s, m, h, d), such as 12h',
    ],
  ],
  [
    'a lease that is too short',
    config,
    '12h',
    '10s',
    ['boot.config.yaml:4:65: VALUE_INVALID Cannot use network.dhcp.lease: 10s is too short, expected at least 1m'],
  ],
  [
    'a timeout of -2',
    config,
    'timeout: 10s',
    'timeout: -2',
    [
      'boot.config.yaml:5:35: VALUE_INVALID Cannot use menu.timeout: -2, expected a duration such as 10s, or -1 to wait for ever',
    ],
  ],
  [
    'an unknown DHCP mode',
    config,
    'mode: full',
    'mode: ful',
    [
      'boot.config.yaml:4:17: VALUE_INVALID Cannot use network.dhcp.mode: "ful", expected full (give addresses), proxy (beside another DHCP server) or off',
    ],
  ],
  [
    'mode full without a range',
    config,
    'range: [10.20.0.100, 10.20.0.199], ',
    '',
    ['boot.config.yaml:4:9: VALUE_INVALID Cannot use network.dhcp: range is missing, which mode full needs'],
  ],
  [
    'a range upside down',
    config,
    '10.20.0.100, 10.20.0.199',
    '10.20.0.199, 10.20.0.100',
    ['boot.config.yaml:4:30: VALUE_INVALID Cannot use network.dhcp.range: 10.20.0.199 comes after 10.20.0.100'],
  ],
  [
    'a range over two networks',
    config,
    '10.20.0.199',
    '10.20.1.9',
    [
      'boot.config.yaml:4:30: VALUE_INVALID Cannot use network.dhcp.range: 10.20.0.100 and 10.20.1.9 are not in one /24 network',
    ],
  ],
  [
    'a range with the broadcast address',
    config,
    '10.20.0.199',
    '10.20.0.255',
    ['boot.config.yaml:4:30: VALUE_INVALID Cannot use network.dhcp.range: 10.20.0.255 is the broadcast address'],
  ],
  [
    'a range of loopback',
    config,
    '10.20.0.100, 10.20.0.199',
    '127.0.0.1, 127.0.0.9',
    [
      'boot.config.yaml:4:30: VALUE_INVALID Cannot use network.dhcp.range: 127.0.0.1 is no address that a node can have',
    ],
  ],
  [
    'a range with the server in it',
    config,
    'interface: eth1',
    'interface: eth1\n  address: 10.20.0.150',
    [
      "boot.config.yaml:5:30: VALUE_INVALID Cannot use network.dhcp.range: the server's own address 10.20.0.150 is in it",
    ],
  ],
  [
    'no IPv4 address',
    config,
    '10.20.0.199',
    '10.20.0.300',
    [
      'boot.config.yaml:4:44: VALUE_INVALID Cannot use network.dhcp.range[1]: "10.20.0.300", expected an IPv4 address such as 10.20.0.1',
    ],
  ],
  [
    'three addresses as a range',
    config,
    '10.20.0.199]',
    '10.20.0.199, 10.20.0.200]',
    [
      'boot.config.yaml:4:30: VALUE_INVALID Cannot use network.dhcp.range: a list of 3, expected the first and the last address, such as [10.20.0.100, 10.20.0.199]',
    ],
  ],
  [
    'a MAC pattern with strange letters',
    config,
    '52-54-00-AA:*',
    '52:54:00:gg:*',
    [
      'boot.config.yaml:7:36: VALUE_INVALID Cannot use groups[0].match.mac[0]: "52:54:00:gg:*", expected a MAC address such as 52:54:00:aa:bb:cc, with * for any characters',
    ],
  ],
  [
    'a MAC pattern that is no list',
    config,
    '["52-54-00-AA:*"]',
    '"52:*"',
    [
      'boot.config.yaml:7:35: VALUE_INVALID Cannot use groups[0].match.mac: "52:*", expected a list of MAC address patterns',
    ],
  ],
  [
    'a default image that is not there',
    config,
    'default: debian',
    'default: debain',
    ['boot.config.yaml:5:18: IMAGE_UNKNOWN Cannot find image "debain": expected one of debian, installer'],
  ],
  [
    "a group's image that is not there",
    config,
    'image: debian',
    'image: fedora',
    ['boot.config.yaml:7:63: IMAGE_UNKNOWN Cannot find image "fedora": expected one of debian, installer'],
  ],
  [
    'two groups of one name',
    config,
    'groups:\n',
    'groups:\n  - { name: render, match: {} }\n',
    ['boot.config.yaml:8:13: NAME_DUPLICATE Cannot use groups[1].name: "render" is the name of groups[0] too'],
  ],
  [
    'a site name with capitals',
    config,
    'site: lab',
    'site: Lab',
    [
      'boot.config.yaml:1:7: VALUE_INVALID Cannot use site: "Lab", expected lower-case letters, digits and hyphens, at most 63',
    ],
  ],
  [
    'a public key that is none',
    config,
    'groups:',
    'trust: { publicKeys: [RWQx] }\ngroups:',
    ['boot.config.yaml:6:23: PUBLIC_KEY_INVALID Cannot use trust.publicKeys[0]: it is no minisign public key'],
  ],
  [
    'a remote that runs a program',
    config,
    'groups:',
    'git: { remote: "ext::sh -c id" }\ngroups:',
    [
      'boot.config.yaml:6:16: VALUE_INVALID Cannot use git.remote: "ext::sh -c id", expected "." (the repository of this file), a path, or an address by https or ssh',
    ],
  ],
  [
    'a branch that is an option',
    config,
    'groups:',
    'git: { branch: --upload-pack=id }\ngroups:',
    ['boot.config.yaml:6:16: VALUE_INVALID Cannot use git.branch: "--upload-pack=id", expected the name of a branch'],
  ],
  [
    'an unknown key at the top',
    config,
    'groups:',
    'x:\ngroups:',
    [
      'boot.config.yaml:6:1: KEY_UNKNOWN Cannot use key "x": expected one of site, suspend, git, network, store, build, trust, bootstrap, menu, swarm, sources, groups',
    ],
  ],
  [
    'a port that is too large',
    config,
    'interface: eth1',
    'interface: eth1\n  http: { port: 70000 }',
    ['boot.config.yaml:4:17: VALUE_INVALID Cannot use network.http.port: 70000, expected a port from 1 to 65535'],
  ],
  [
    'a list instead of a mapping',
    config,
    site,
    '- site',
    [
      'boot.config.yaml:1:1: VALUE_INVALID Cannot use the file: a list of 1, expected a mapping with site, network and menu',
    ],
  ],
  [
    'an unknown method',
    image,
    'switch-root',
    'chroot',
    [
      'images/debian/image.yaml:3:9: VALUE_INVALID Cannot use method: "chroot", expected kexec, switch-root, qemu, exec, chain or local',
    ],
  ],
  [
    'an unknown architecture',
    image,
    'amd64',
    'x86_64',
    ['images/debian/image.yaml:2:7: VALUE_INVALID Cannot use arch: "x86_64", expected amd64 or arm64'],
  ],
  [
    'a root filesystem for qemu',
    image,
    'switch-root',
    'qemu',
    [
      'images/debian/image.yaml:4:1: SOURCE_UNFIT Cannot use source: qemu needs files: { disk: … }, cdrom, floppy or file, and nothing else',
    ],
  ],
  [
    'a kernel for switch-root',
    kexec,
    'kexec',
    'switch-root',
    [
      'images/installer/image.yaml:4:1: SOURCE_UNFIT Cannot use source: switch-root needs debian, oci, directory, or files: { rootfs: … } and nothing else',
    ],
  ],
  [
    'kexec without an initrd',
    kexec,
    / {4}initrd.*\n/.exec(installer)?.[0] ?? '',
    '',
    [
      'images/installer/image.yaml:4:1: SOURCE_UNFIT Cannot use source: kexec needs debian, oci, directory, or files: { kernel: …, initrd: … } and nothing else',
    ],
  ],
  [
    'two sources',
    image,
    'source: {',
    'source: { files: {},',
    [
      'images/debian/image.yaml:4:9: VALUE_INVALID Cannot use source: a mapping, expected exactly one of debian, oci, directory, files, iso and command',
    ],
  ],
  [
    'a file that is not in the folder',
    kexec,
    'one.img',
    'three.img',
    [
      'images/installer/image.yaml:7:13: FILE_MISSING Cannot use source.files.initrd: there is no file images/installer/three.img',
    ],
  ],
  [
    'a path out of the folder',
    kexec,
    '[one.img,',
    '[../debian/image.yaml,',
    [
      'images/installer/image.yaml:7:14: VALUE_INVALID Cannot use source.files.initrd[0]: "../debian/image.yaml", expected a relative path without . and ..',
    ],
  ],
  [
    'an address without a digest',
    kexec,
    `, sha256: ${'ab'.repeat(32)}`,
    '',
    [
      'images/installer/image.yaml:7:23: KEY_MISSING Cannot use source.files.initrd[1]: source.files.initrd[1].sha256 is missing',
    ],
  ],
  [
    'two files of one name',
    kexec,
    'usr/lib/linux',
    'usr/lib/00-one.img',
    [
      'images/installer/image.yaml:6:5: NAME_DUPLICATE Cannot use source.files: two of the files are called "00-one.img"',
    ],
  ],
  [
    'a package name with an option',
    image,
    '[openssh-server]',
    '["-o=x"]',
    [
      'images/debian/image.yaml:4:47: VALUE_INVALID Cannot use source.debian.packages[0]: "-o=x", expected the name of a Debian package',
    ],
  ],
  [
    'a command line of two lines',
    image,
    '"boottorrent.demo=1"',
    '"a\\nb"',
    [
      'images/debian/image.yaml:5:10: VALUE_INVALID Cannot use cmdline: "a\\nb", expected a kernel command line: printable ASCII on one line, at most 1500 characters',
    ],
  ],
  [
    'a key twice',
    image,
    'arch: amd64\n',
    'arch: amd64\narch: arm64\n',
    ['images/debian/image.yaml:3:1: YAML_INVALID Cannot read the file as YAML: Map keys must be unique'],
  ],
  [
    'broken YAML',
    image,
    'packages: [openssh-server] }',
    'packages: [openssh-server }',
    [
      'images/debian/image.yaml:4:62: YAML_INVALID Cannot read the file as YAML: Flow sequence in block collection must be sufficiently indented and end with a ]',
      'images/debian/image.yaml:5:1: YAML_INVALID Cannot read the file as YAML: Flow map in block collection must be sufficiently indented and end with a }',
    ],
  ],
  [
    'an empty file',
    image,
    debian,
    '',
    ['images/debian/image.yaml:1:1: YAML_INVALID Cannot read the file as YAML: it is empty'],
  ],
  [
    'two documents',
    image,
    'title',
    '---\ntitle: x\n---\ntitle',
    ['images/debian/image.yaml:3:1: YAML_INVALID Cannot read the file as YAML: it holds more than one document'],
  ],
  [
    'a tag',
    image,
    'Debian 13',
    '!!js/function "x"',
    [
      'images/debian/image.yaml:1:8: YAML_INVALID Cannot read the file as YAML: Unresolved tag: tag:yaml.org,2002:js/function',
    ],
  ],
  [
    'a value that is not declared',
    image,
    '"boottorrent.demo=1"',
    '"demo={{ dmo }}"\nvalues: { demo: 1 }',
    [
      'images/debian/image.yaml:5:10: TEMPLATE_INVALID Cannot use cmdline: the value "dmo" is not declared: expected one of demo',
    ],
  ],
  [
    'values that make no command line',
    image,
    '"boottorrent.demo=1"',
    '"demo={{ demo }}"\nvalues: { demo: "two\\nlines" }',
    [
      'images/debian/image.yaml:5:10: VALUE_INVALID Cannot use cmdline: with its values it is "demo=two\\nlines", expected a kernel command line: printable ASCII on one line, at most 1500 characters',
    ],
  ],
  [
    'a script that is not there',
    image,
    'cmdline:',
    'run: ["true", { script: setup.sh }]\ncmdline:',
    [
      'images/debian/image.yaml:5:25: FILE_MISSING Cannot use run[1].script: there is no file images/debian/setup.sh',
    ],
  ],
  [
    'a tree that is not there',
    image,
    'debian: { suite: trixie, packages: [openssh-server] }',
    'directory: { path: root }',
    [
      'images/debian/image.yaml:4:30: FILE_MISSING Cannot use source.directory.path: there is no file images/debian/root',
    ],
  ],
  [
    'steps in files',
    kexec,
    'lab:',
    'run: ["true"]\nlab:',
    ['images/installer/image.yaml:8:1: RUN_UNFIT Cannot use run: a source of the kind files gives files as they are'],
  ],
  [
    'a container image without a registry',
    image,
    'debian: { suite: trixie, packages: [openssh-server] }',
    'oci: { image: debian }',
    [
      'images/debian/image.yaml:4:25: VALUE_INVALID Cannot use source.oci.image: "debian", expected registry/repository with :tag or @sha256:…, such as docker.io/library/debian:trixie',
    ],
  ],
  [
    'a kernel of a container image that is never started',
    image,
    'debian: { suite: trixie, packages: [openssh-server] }',
    'oci: { image: "docker.io/library/debian:trixie", kernel: boot/vmlinuz }',
    [
      'images/debian/image.yaml:4:60: KERNEL_UNFIT Cannot use source.oci.kernel: switch-root starts no kernel of the image',
    ],
  ],
  [
    'a command that makes the wrong files',
    image,
    'debian: { suite: trixie, packages: [openssh-server] }',
    'command: { command: [make], outputs: { kernel: k } }',
    [
      'images/debian/image.yaml:4:1: SOURCE_UNFIT Cannot use source: switch-root needs debian, oci, directory, or files: { rootfs: … } and nothing else',
    ],
  ],
  [
    'an ISO image that is not there',
    image,
    'debian: { suite: trixie, packages: [openssh-server] }',
    'iso: { image: live.iso, rootfs: live/filesystem.squashfs }',
    [
      'images/debian/image.yaml:4:9: OVERLAY_UNFIT Cannot use images/debian/overlay: a source of the kind iso gives files as they are',
      'images/debian/image.yaml:4:25: FILE_MISSING Cannot use source.iso.image: there is no file images/debian/live.iso',
    ],
  ],
];
