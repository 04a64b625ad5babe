import { expect, it } from 'vitest';
import { packageFileName, parsePrintedUris, sortPackages } from './package-list.ts';

const archives = { debian: 'http://mirror.test/debian', 'debian-security': 'http://mirror.test/debian-security' };
const digest = '66b060ef2f09722c947ba019da5e9a63f6bac9d7bf90b32339a72c0390acc53f';
const line = (path: string, file: string) => `'http://mirror.test/${path}' ${file} 659760 SHA256:${digest}`;

it('parsePrintedUris() reads packages among the words of apt, sorted by name', () => {
  const text = [
    'Reading package lists...',
    line(
      'debian-security/pool/updates/main/x/xz-utils/xz-utils_5.8.1-1%2bdeb13u2_amd64.deb',
      'xz-utils_5.8.1-1+deb13u2_amd64.deb',
    ),
    line('debian/pool/main/libc/libcap2/libcap2_2.75-10_amd64.deb', 'libcap2_1%3a2.75-10_amd64.deb'),
    'After this operation, 198 MB of additional disk space will be used.',
  ].join('\n');
  expect(parsePrintedUris(text, archives)).toEqual([
    {
      name: 'libcap2',
      version: '1:2.75-10',
      arch: 'amd64',
      sha256: digest,
      sizeBytes: 659760,
      archive: 'debian',
      path: 'pool/main/libc/libcap2/libcap2_2.75-10_amd64.deb',
    },
    {
      name: 'xz-utils',
      version: '5.8.1-1+deb13u2',
      arch: 'amd64',
      sha256: digest,
      sizeBytes: 659760,
      archive: 'debian-security',
      path: 'pool/updates/main/x/xz-utils/xz-utils_5.8.1-1+deb13u2_amd64.deb',
    },
  ]);
});

it.each([
  [
    'a digest other than SHA-256',
    `'http://mirror.test/debian/pool/a_1_all.deb' a_1_all.deb 5 MD5Sum:0cc175b9c0f1b6a831c399e269772661`,
  ],
  ['an archive that was not asked', `'http://other.test/debian/pool/a_1_all.deb' a_1_all.deb 5 SHA256:${digest}`],
  ['no size', `'http://mirror.test/debian/pool/a_1_all.deb' a_1_all.deb SHA256:${digest}`],
])('parsePrintedUris() refuses %s', (_, text) => {
  expect(() => parsePrintedUris(text, archives)).toThrow(expect.objectContaining({ code: 'APT_OUTPUT_INVALID' }));
});

it('sortPackages() makes the same list of any order', () => {
  const [one, two] = parsePrintedUris(
    [line('debian/pool/b_1_amd64.deb', 'b_1_amd64.deb'), line('debian/pool/a_1_amd64.deb', 'a_1_amd64.deb')].join('\n'),
    archives,
  );
  expect(sortPackages([two!, one!])).toEqual(sortPackages([one!, two!]));
  expect(packageFileName({ ...one!, version: '1:2.0' })).toBe('a_2.0_amd64.deb');
});
