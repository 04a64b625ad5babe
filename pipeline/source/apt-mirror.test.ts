import { expect, it } from 'vitest';
import { formatSources } from './apt-directory.ts';
import { chooseMirror, hostMirror, snapshotMirror } from './apt-mirror.ts';

/** As `apt-get update --print-uris` says it. */
const line = (root: string, suite: string) =>
  `'${root}/dists/${suite}/InRelease' mirror.example.test_debian_dists_${suite}_InRelease 0 `;

it('hostMirror() takes the archives of the host’s own suite, and leaves other repositories alone', () => {
  const targets = [
    line('https://packages.example.test/apt', 'cloud-bookworm'),
    line('http://tools.example.test/node', 'bookworm'),
    line('http://mirror.example.test/pub/debian', 'bookworm'),
    line('http://mirror.example.test/pub/debian', 'bookworm-updates'),
    line('http://security.example.test/debian-security', 'bookworm-security'),
  ].join('\n');
  expect(hostMirror(targets, 'bookworm')).toEqual({
    debian: 'http://mirror.example.test/pub/debian',
    'debian-security': 'http://security.example.test/debian-security',
  });
});

it('hostMirror() has no security updates where the host has none', () => {
  expect(hostMirror(line('http://mirror.example.test/debian', 'bookworm'), 'bookworm')).toEqual({
    debian: 'http://mirror.example.test/debian',
  });
});

it('chooseMirror() prefers the mirror that is named', async () => {
  expect(await chooseMirror('http://mirror.example.test/debian/')).toEqual({
    debian: 'http://mirror.example.test/debian',
  });
});

it('formatSources() of a snapshot asks for one moment of each archive, however old its lists say they are', () => {
  const options = '[signed-by=/usr/share/keyrings/debian-archive-keyring.gpg check-valid-until=no]';
  const root = 'http://snapshot.debian.org/archive';
  expect(formatSources('trixie', { mirror: snapshotMirror('20261101T000000Z'), isSnapshot: true })).toBe(
    [
      `deb ${options} ${root}/debian/20261101T000000Z trixie main\n`,
      `deb ${options} ${root}/debian/20261101T000000Z trixie-updates main\n`,
      `deb ${options} ${root}/debian-security/20261101T000000Z trixie-security main\n`,
    ].join(''),
  );
});
