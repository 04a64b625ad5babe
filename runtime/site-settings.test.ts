import { describe, expect, it } from 'vitest';
import { readSite } from '#definition/read-site.ts';
import { folderIn, needsRestart } from './site-settings.ts';

const text = `site: lab
network: { interface: eth1, dhcp: { mode: full, range: [10.0.0.10, 10.0.0.20] } }
menu: { default: debian }
`;
const site = (of: string) => readSite('boot.config.yaml', of).value!;

describe('needsRestart()', () => {
  it('is about listeners, repository, store and trust', () => {
    const other = text.replace('eth1', 'eth2').replace('site: lab', 'site: lab\nstore: { path: /srv/store }');
    expect(needsRestart(site(text), site(other))).toEqual(['store', 'network.interface']);
    expect(needsRestart(site(text), site(text.replace(/dhcp: .*/, 'dhcp: { mode: off } }')))).toEqual([
      'network.dhcp.mode',
    ]);
  });

  it('is not about what a commit may change: ranges, menu, groups', () => {
    const other = text.replace('10.0.0.20', '10.0.0.30').replace('default: debian', 'default: other');
    expect(needsRestart(site(text), site(other))).toEqual([]);
  });
});

describe('folderIn()', () => {
  it('is the path of the file in its repository', () => {
    expect(folderIn('/srv/site', '/srv/site/boot.config.yaml')).toBe('');
    expect(folderIn('/srv/site', '/srv/site/labs/one/boot.config.yaml')).toBe('labs/one/');
    expect(folderIn('/srv/site', '/etc/boottorrent/boot.config.yaml')).toBe('');
  });
});
