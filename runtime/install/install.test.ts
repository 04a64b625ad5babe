import { expect, it } from 'vitest';
import { socketNames } from '../sockets/inherit.ts';
import { withSubordinateIds } from './accounts.ts';
import { hiddenBelow, planInstallation } from './install.ts';
import { formatUnit, quoteArgument } from './unit.ts';

const paths = { configPath: '/srv/site/boot.config.yaml', nodePath: '/opt/node', programPath: '/opt/main.js' };
const site = (mode: string) => ({ network: { interface: 'eth1', dhcp: { mode } } }) as never;

it('planInstallation() names the sockets that the runtime takes over, and only tftp where it answers no DHCP', () => {
  expect(planInstallation(site('proxy'), paths).sockets.map(({ name }) => name)).toEqual([...socketNames]);
  expect(planInstallation(site('off'), paths).sockets).toEqual([{ name: 'tftp', port: 69 }]);
});

it('withSubordinateIds() adds a range behind all others, once', () => {
  const first = withSubordinateIds('', 'build');
  expect(first).toBe('build:100000:65536\n');
  expect(withSubordinateIds(first, 'build')).toBe(first);
  expect(withSubordinateIds('anna:100000:65536', 'build')).toBe('anna:100000:65536\nbuild:165536:65536\n');
});

it('quoteArgument() keeps systemd from expanding anything', () => {
  expect(quoteArgument('/srv/site/boot.config.yaml')).toBe('/srv/site/boot.config.yaml');
  expect(quoteArgument('/srv/my site/50%/$HOME')).toBe('"/srv/my site/50%%/$$HOME"');
});

it('formatUnit() repeats a key for each value of a list', () => {
  expect(formatUnit('A unit', { Service: { Type: 'exec', Filter: ['a', '~b'] } })).toBe(
    '# A unit\n# Written by "boottorrent install": change it by a drop-in (systemctl edit).\n\n[Service]\nType=exec\nFilter=a\nFilter=~b\n',
  );
});

it('hiddenBelow() tells what the units cannot see', () => {
  expect(hiddenBelow('/root/site/boot.config.yaml')).toBe('/root');
  expect(hiddenBelow('/home/anna/site')).toBe('/home');
  expect(hiddenBelow('/srv/home/site')).toBeUndefined();
});
