import { expect, it } from 'vitest';
import { readSite } from './read-site.ts';

const text = `site: lab
network:
  interface: eth7
  dhcp: { mode: proxy }
menu: { default: debian }
groups: [{ name: a, match: { mac: ["*"] } }]
`;

it('readSite() lays an overlay over the file: mappings merge, all else is replaced', () => {
  const overlay = {
    network: { interface: 'eth1', dhcp: { mode: 'full', range: ['10.1.0.2', '10.1.0.9'] } },
    groups: [],
  };
  const { value } = readSite('boot.config.yaml', text, overlay);
  expect(value?.network.interface).toBe('eth1');
  expect(value?.network.dhcp).toMatchObject({ mode: 'full', range: ['10.1.0.2', '10.1.0.9'] });
  expect(value?.menu.default).toBe('debian');
  expect(value?.groups).toEqual([]);
});

it('readSite() checks what an overlay brings like the rest', () => {
  const { faults } = readSite('boot.config.yaml', text, { network: { dhcp: { mode: 'nonsense' } } });
  expect(faults.map((fault) => [fault.code, fault.location?.line])).toEqual([['VALUE_INVALID', 4]]);
});

it('an overlay cannot reach a prototype', () => {
  const overlay = JSON.parse('{"__proto__": {"polluted": true}}');
  readSite('boot.config.yaml', text, overlay);
  expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
});
