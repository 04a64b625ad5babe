import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { readCredentials } from './credentials.ts';

const directory = mkdtempSync(join(tmpdir(), 'bt-credentials-'));
const path = join(directory, 'config.json');
const auth = Buffer.from('ci:secret:word').toString('base64');
writeFileSync(
  path,
  JSON.stringify({
    auths: { 'registry.example.org': { auth }, 'https://other.example.org': { username: 'a', password: 'b' } },
  }),
);
afterAll(() => rmSync(directory, { recursive: true }));

const environment = { BOOTTORRENT_REGISTRY_USER: 'env', BOOTTORRENT_REGISTRY_PASSWORD: 'word' };
const registry = 'registry.example.org';

it('readCredentials() gives those of the environment to the store’s registry alone', async () => {
  expect(await readCredentials({ registry, environment, isStore: true })).toEqual({ user: 'env', password: 'word' });
  expect(await readCredentials({ registry, environment })).toBeUndefined();
});

it.each([
  ['REGISTRY_AUTH_FILE', path],
  ['DOCKER_CONFIG', directory],
])('readCredentials() finds the file by %s', async (name, value) => {
  const environment = { [name]: value };
  expect(await readCredentials({ registry, environment })).toEqual({ user: 'ci', password: 'secret:word' });
  expect(await readCredentials({ registry: 'other.example.org', environment })).toEqual({ user: 'a', password: 'b' });
  expect(await readCredentials({ registry: 'registry.example.org:5000', environment })).toBeUndefined();
});

it('readCredentials() says which file it cannot read, and nothing of what stands in it', async () => {
  await expect(readCredentials({ registry, environment: {}, path: join(directory, 'none') })).rejects.toMatchObject({
    code: 'REGISTRY_CREDENTIALS_INVALID',
    message: `Cannot read the registry credentials ${join(directory, 'none')}: there is no such file`,
  });
  const broken = join(directory, 'broken');
  writeFileSync(broken, '{"auths": hunter2');
  const fault = await readCredentials({ registry, environment: {}, path: broken }).catch((error) => error);
  expect(fault.code).toBe('REGISTRY_CREDENTIALS_INVALID');
  expect(`${fault.stack} ${fault.cause}`).not.toContain('hunter2');
});
