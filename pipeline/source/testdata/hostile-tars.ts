import { gzipSync } from 'node:zlib';

export interface Entry {
  readonly name: string;
  /** Of the header, one character: `0` file, `1` hard link, `2` symbolic link, `5` directory, … */
  readonly type?: string;
  readonly link?: string;
  readonly data?: string | Buffer;
  /** The twelve bytes of the size field. Default: the size of the data in octal. */
  readonly size?: Buffer;
  readonly checksum?: string;
  readonly device?: readonly [major: number, minor: number];
  readonly mode?: number;
}

const block = 512;
const end = Buffer.alloc(2 * block);

/** An entry by hand: libraries refuse to write most of these. */
export function entry({ name, type = '0', link = '', data = '', ...more }: Entry): Buffer {
  const bytes = Buffer.from(data);
  const header = Buffer.alloc(block);
  header.write(name, 0, 100);
  header.write((more.mode ?? 0o644).toString(8).padStart(7, '0'), 100);
  header.write('0000000', 108);
  header.write('0000000', 116);
  (more.size ?? Buffer.from(bytes.length.toString(8).padStart(11, '0'))).copy(header, 124);
  header.write('00000000000', 136);
  header.write('        ', 148);
  header.write(type, 156);
  header.write(link, 157, 100);
  header.write('ustar\u000000', 257);
  const [major, minor] = more.device ?? [0, 0];
  header.write(major.toString(8).padStart(7, '0'), 329);
  header.write(minor.toString(8).padStart(7, '0'), 337);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(more.checksum ?? `${sum.toString(8).padStart(6, '0')}\u0000 `, 148);
  return Buffer.concat([header, bytes, Buffer.alloc((block - (bytes.length % block)) % block)]);
}

export function tar(...entries: readonly (Entry | Buffer)[]): Buffer {
  return Buffer.concat([...entries.map((one) => (Buffer.isBuffer(one) ? one : entry(one))), end]);
}

function pax(type: 'x' | 'g', records: Readonly<Record<string, string>>): Buffer {
  const lines = Object.entries(records).map(([key, value]) => {
    const rest = ` ${key}=${value}\n`;
    const length = Buffer.byteLength(rest);
    const digits = String(length + String(length).length).length;
    return `${length + digits}${rest}`;
  });
  return entry({ name: 'PaxHeader', type, data: lines.join('') });
}

const gnuLong = (type: 'L' | 'K', text: string) => entry({ name: '././@LongLink', type, data: `${text}\u0000` });

const climbing = ['../evil', 'a/../../evil', './../evil', '/evil', '//evil', 'a/./../../evil', '..', 'a/b/../../../evil', '../'];
const types: readonly (readonly [string, Partial<Entry>])[] = [
  ['file', { data: 'evil' }],
  ['directory', { type: '5' }],
  ['symbolic link', { type: '2', link: 'x' }],
  ['hard link', { type: '1', link: 'good' }],
];
const good: Entry = { name: 'good', data: 'good' };
const huge = (bytes: readonly number[]) => Buffer.from(bytes);
/** 2^62 and -1 in base 256, as GNU writes large sizes. */
const large = huge([0x80, 0, 0, 0, 0x40, 0, 0, 0, 0, 0, 0, 0]);
const negative = huge(Array(12).fill(0xff));

/** What the archive that a test lies beside must never reach. @param outside an absolute path */
export function hostileTars(outside: string): Readonly<Record<string, Buffer>> {
  const names = climbing.flatMap((name) =>
    types.map(([kind, more]) => [`${kind} ${name}`, tar(good, { name, ...more })] as const),
  );
  return { ...Object.fromEntries(names), ...longNames(), ...links(outside), ...devices(), ...bombs(), ...broken() };
}

function longNames(): Record<string, Buffer> {
  return {
    'pax path that climbs': tar(pax('x', { path: '../evil' }), { name: 'fine', data: 'x' }),
    'pax path that is absolute': tar(pax('x', { path: '/evil' }), { name: 'fine', data: 'x' }),
    'global pax path that climbs': tar(pax('g', { path: '../evil' }), { name: 'fine', data: 'x' }),
    'pax link path that climbs': tar(pax('x', { linkpath: '../evil' }), { name: 'fine', type: '1', link: 'good' }),
    'GNU long name that climbs': tar(gnuLong('L', '../evil'), { name: 'fine', data: 'x' }),
    'GNU long name that is absolute': tar(gnuLong('L', '/evil'), { name: 'fine', data: 'x' }),
    'GNU long link that climbs': tar(good, gnuLong('K', '../evil'), { name: 'fine', type: '1', link: 'good' }),
    'name of a megabyte': tar(gnuLong('L', 'a/'.repeat(500_000)), { name: 'fine', data: 'x' }),
    'name with a newline': tar({ name: 'a\nb', data: 'x' }),
    'name with an escape': tar({ name: 'a\u001b[2Jb', data: 'x' }),
    'empty name': tar({ name: '', data: 'x' }),
    'folder of a thousand folders': tar(gnuLong('L', `${'a/'.repeat(1000)}b`), { name: 'fine', data: 'x' }),
  };
}

function links(outside: string): Record<string, Buffer> {
  const out = { name: 'out', type: '2', link: outside };
  return {
    'file through a link': tar(out, { name: 'out/evil', data: 'x' }),
    'folder through a link': tar(out, { name: 'out/evil', type: '5' }),
    'link through a link': tar(out, { name: 'out/evil', type: '2', link: 'x' }),
    'hard link through a link': tar(good, out, { name: 'out/evil', type: '1', link: 'good' }),
    'file through a link that climbs': tar({ ...out, link: '../../..' }, { name: 'out/evil', data: 'x' }),
    'file through two links': tar({ ...out, name: 'a' }, { name: 'b', type: '2', link: 'a' }, { name: 'b/evil', data: 'x' }),
    'folder that becomes a link': tar({ name: 'out', type: '5' }, out, { name: 'out/evil', data: 'x' }),
    'link that becomes a folder': tar(out, { name: 'out', type: '5' }, { name: 'out/evil', data: 'x' }),
    'link named with a dot': tar({ ...out, name: './out' }, { name: 'out/evil', data: 'x' }),
    'link in place of the folder': tar({ ...out, name: '.' }, { name: 'evil', data: 'x' }),
    'hard link to a file of the host': tar({ name: 'shadow', type: '1', link: '/etc/shadow' }),
    'hard link that climbs': tar({ name: 'shadow', type: '1', link: '../../../../etc/shadow' }),
    'hard link to a link': tar(out, { name: 'evil', type: '1', link: 'out' }),
    'hard link to nothing': tar({ name: 'evil', type: '1', link: 'none' }),
    'link to nothing': tar({ name: 'evil', type: '2', link: '' }),
  };
}

function devices(): Record<string, Buffer> {
  const device = (type: string, major: number, minor: number) => tar({ name: 'd', type, device: [major, minor], mode: 0o666 });
  return {
    'memory of the kernel': device('3', 1, 2),
    'a null device': device('3', 1, 3),
    'a disk': device('4', 8, 0),
    'a loop device': device('4', 7, 0),
    'a pipe': tar({ name: 'p', type: '6' }),
    'an unknown type': tar({ name: 'x', type: 'Z', data: 'x' }),
    'a volume label': tar({ name: 'x', type: 'V' }),
    'the rest of another volume': tar({ name: 'x', type: 'M', data: 'x' }),
    'a directory of GNU': tar({ name: 'x', type: 'D', data: 'Yevil\u0000\u0000' }),
    'a sparse file of a terabyte': tar({ name: 'x', type: 'S', data: 'x' }),
  };
}

function bombs(): Record<string, Buffer> {
  const many = Array.from({ length: 20_000 }, (_, index) => entry({ name: `f${index}` }));
  return {
    'a bomb of zeros': tar({ name: 'zeros', data: Buffer.alloc(64 * 1024 * 1024) }),
    'too many files': Buffer.concat([...many, end]),
    'too many pax headers': Buffer.concat([...Array(20_000).fill(pax('x', { comment: 'x'.repeat(1000) })), entry(good), end]),
    'a pax header of 32 MB': tar(pax('x', { comment: 'x'.repeat(32_000_000) }), good),
    'a size of 4 EiB': tar({ name: 'x', size: large }),
    'a negative size': tar({ name: 'x', size: negative }),
    'a pax size of 4 EiB': tar(pax('x', { size: String(2 ** 62) }), { name: 'x' }),
  };
}

function broken(): Record<string, Buffer> {
  const whole = tar(good, { name: 'more', data: 'x'.repeat(2000) });
  return {
    'no bytes': Buffer.alloc(0),
    'only the end': end,
    'no tar': Buffer.from('<html>Not found</html>'.repeat(100)),
    'an end in the header': whole.subarray(0, 1300),
    'an end in the data': whole.subarray(0, 2048),
    'a wrong checksum': tar(good, { name: 'x', data: 'x', checksum: '000001\u0000 ' }),
    'a checksum that is no number': tar(good, { name: 'x', data: 'x', checksum: 'zzzzzz\u0000 ' }),
    'a size that is no number': tar(good, { name: 'x', data: 'x', size: Buffer.from('zzzzzzzzzzz') }),
    'a bit flipped in a header': flipped(whole, 1030),
    'a gzip in a tar': tar(good, gzipSync(Buffer.alloc(5000))),
  };
}

function flipped(bytes: Buffer, at: number): Buffer {
  const changed = Buffer.from(bytes);
  changed[at] = (changed[at] ?? 0) ^ 0x10;
  return changed;
}

/** A Debian package with this tar as its files, and scripts that nobody may run. @param mark what they would make */
export function packageOf(files: Buffer, mark: string): Buffer {
  const script = `#!/bin/sh\ntouch ${mark}\n`;
  const scripts = ['preinst', 'postinst', 'config'].map((name) => ({ name, data: script, mode: 0o755 }));
  const about = 'Package: evil\nVersion: 1\nArchitecture: amd64\nMaintainer: A <a@example.org>\nDescription: x\n';
  const parts: readonly (readonly [string, Buffer])[] = [
    ['debian-binary', Buffer.from('2.0\n')],
    ['control.tar.gz', gzipSync(tar({ name: 'control', data: about }, ...scripts))],
    ['data.tar.gz', gzipSync(files, { level: 1 })],
  ];
  const members = parts.map(([name, bytes]) => {
    const fields = [name.padEnd(16), '0'.padEnd(12), '0'.padEnd(6), '0'.padEnd(6), '100644'.padEnd(8)];
    const head = `${fields.join('')}${String(bytes.length).padEnd(10)}\`\n`;
    return Buffer.concat([Buffer.from(head), bytes, Buffer.alloc(bytes.length % 2, '\n')]);
  });
  return Buffer.concat([Buffer.from('!<arch>\n'), ...members]);
}
