import { expect, it } from 'vitest';
import { chooseMirror, hostMirror } from './apt-mirror.ts';

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
