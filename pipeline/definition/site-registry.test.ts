import { expect, it } from 'vitest';
import { readSite } from './read-site.ts';

const publicKey = 'RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3';
const base = 'site: lab\nnetwork: { interface: a, dhcp: { mode: off } }\nmenu: { default: demo }\n';
const read = (more: string) => readSite('boot.config.yaml', base + more);
const trust = `trust: { publicKeys: [${publicKey}] }\n`;

it('readSite() takes a registry, from which bundles then come', () => {
  const { value } = read(
    `${trust}store: { oci: "registry.example.org:5000/site/boot", credentials: /etc/registry.json }\n`,
  );
  expect(value?.build).toBe('registry');
  expect(value?.store).toMatchObject({ oci: 'registry.example.org:5000/site/boot', credentials: '/etc/registry.json' });
  expect(read('store: { oci: "registry.example.org/boot" }\nbuild: local\n').value?.build).toBe('local');
  expect(read('').value?.build).toBe('local');
});

it.each([
  [
    'a registry without a key',
    'store: { oci: "registry.example.org/boot" }\n',
    '4:15: Cannot use store.oci: trust.publicKeys is empty',
  ],
  ['build: registry without a registry', `${trust}build: registry\n`, '5:8: Cannot use build: store.oci is missing'],
  ['a tag', `${trust}store: { oci: "registry.example.org/boot:v1" }\n`, '5:15: '],
  ['an address', `${trust}store: { oci: "https://registry.example.org/boot" }\n`, '5:15: '],
])('readSite() refuses %s, with its place', (_, more, said) => {
  const { value, faults } = read(more);
  expect(value).toBeUndefined();
  const [{ location, message, hint } = {}] = faults;
  expect(`${location?.line}:${location?.column}: ${message}`).toContain(said);
  expect(hint).toBeTruthy();
});
