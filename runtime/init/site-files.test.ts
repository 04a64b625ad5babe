import { expect, it } from 'vitest';
import { readSite } from '#definition/read-site.ts';
import { secretNameIn, siteFiles, siteName, withSiteSchema } from './site-files.ts';

const publicKey = 'RWTVCfCK4d0Xzj8XkyeuSA5Yi5kQSwe/ffhYCgvf04zwWFvLPtRkbnGj';

it('siteFiles() makes a configuration without a fault', () => {
  const files = siteFiles({ name: 'lab', interface: 'eth1', publicKey });
  const { value, faults } = readSite('boot.config.yaml', files['boot.config.yaml'] ?? '', undefined);
  expect(faults).toEqual([]);
  expect(value).toMatchObject({ site: 'lab', network: { interface: 'eth1' }, trust: { publicKeys: [publicKey] } });
});

it('siteFiles() tells of the secret only where a workflow wants it', () => {
  const site = { name: 'lab', interface: 'eth1', publicKey };
  expect(siteFiles(site)['README.md']).not.toContain('gh secret set');
  expect(siteFiles({ ...site, secretName: 'KEY' })['README.md']).toContain('gh secret set KEY <');
});

it.each([
  ['My Site', 'my-site'],
  ['racks_2026', 'racks-2026'],
  ['...', 'site'],
])('siteName() of %s is %s', (directory, name) => {
  expect(siteName(directory)).toBe(name);
});

it('secretNameIn() leaves out the token of the forge', () => {
  const use = (name: string) => `value: $\{{ secrets.${name} }}\n`;
  expect(secretNameIn(use('GITHUB_TOKEN') + use('SIGNING_KEY'))).toBe('SIGNING_KEY');
  expect(secretNameIn(use('GITHUB_TOKEN'))).toBeUndefined();
});

it('withSiteSchema() names the schema in the package', () => {
  expect(withSiteSchema('# yaml-language-server: $schema=../../pipeline/definition/image.schema.json\n')).toBe(
    '# yaml-language-server: $schema=../../node_modules/boottorrent/dist/pipeline/definition/image.schema.json\n',
  );
});
