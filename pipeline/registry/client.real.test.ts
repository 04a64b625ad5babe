import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { digestOf } from '../store/digest.ts';
import { openRegistry, type Registry } from './client.ts';
import { parseReference } from './reference.ts';
import type { RegistryOptions } from './session.ts';
import { account, startRegistry, type TestRegistry } from './testdata/docker-registry.ts';

const directory = mkdtempSync(join(tmpdir(), 'bt-client-'));
const bytes = randomBytes(3_000_000);
const ref = { digest: digestOf(bytes), sizeBytes: bytes.length };
const empty = Buffer.from('{}');
const opened: Registry[] = [];
afterEach(() => {
  for (const one of opened.splice(0)) one.close();
});
afterAll(() => rmSync(directory, { recursive: true }));

function open(host: string, options: Partial<RegistryOptions> = {}): Registry {
  const limits = { pauseMs: 5, chunkBytes: 1_000_000 };
  const registry = openRegistry({
    reference: parseReference(`${host}/site/boot`),
    allowedHosts: ['127.0.0.1'],
    limits,
    ...options,
  });
  opened.push(registry);
  return registry;
}

function manifestOf(): Buffer {
  const config = { mediaType: 'application/vnd.oci.empty.v1+json', digest: `sha256:${digestOf(empty)}`, size: 2 };
  const layers = [{ mediaType: 'application/octet-stream', digest: `sha256:${ref.digest}`, size: ref.sizeBytes }];
  const mediaType = 'application/vnd.oci.image.manifest.v1+json';
  return Buffer.from(
    JSON.stringify({ schemaVersion: 2, mediaType, artifactType: 'application/vnd.test', config, layers }),
  );
}

describe.each(['none', 'basic', 'token'] as const)('docker-registry with auth %s', (auth) => {
  let server: TestRegistry;
  beforeAll(async () => {
    server = await startRegistry(auth);
  });
  afterAll(() => server.close());

  it('takes blobs and a manifest once, gives them back, and skopeo reads them', async () => {
    const registry = open(server.host, { credentials: account, access: 'push' });
    const path = join(directory, 'blob');
    writeFileSync(path, bytes);
    expect(await registry.putBlob(ref, { path })).toBe(true);
    expect(await registry.putBlob(ref, { path })).toBe(false);
    await registry.putBlob({ digest: digestOf(empty), sizeBytes: 2 }, { bytes: empty });
    const manifest = { mediaType: 'application/vnd.oci.image.manifest.v1+json', bytes: manifestOf() };
    const digest = await registry.putManifest('v1', manifest);

    const reader = open(server.host, { credentials: account });
    expect(await reader.getManifest({ tag: 'v1' })).toEqual({ ...manifest, digest });
    expect((await reader.getManifest({ digest })).bytes).toEqual(manifest.bytes);
    expect(await reader.getBlob(digestOf(empty), 2)).toEqual(empty);
    const copy = join(directory, `copy-${auth}`);
    await reader.downloadBlob(ref, copy);
    expect(readFileSync(copy)).toEqual(bytes);

    const creds = auth === 'none' ? [] : ['--src-creds', `${account.user}:${account.password}`];
    const target = join(directory, `skopeo-${auth}`);
    await promisify(execFile)('skopeo', [
      'copy',
      '-q',
      '--src-tls-verify=false',
      ...creds,
      `docker://${server.host}/site/boot:v1`,
      `dir:${target}`,
    ]);
    expect(readFileSync(join(target, ref.digest))).toEqual(bytes);
  });

  it('says that nothing is there by one code, and that access is denied by another', async () => {
    const reader = open(server.host, { credentials: account });
    await expect(reader.getManifest({ tag: 'none' })).rejects.toMatchObject({ code: 'REGISTRY_NOT_FOUND' });
    await expect(reader.getBlob(digestOf('none'), 10)).rejects.toMatchObject({ code: 'REGISTRY_NOT_FOUND' });
    if (auth === 'none') return;
    const stranger = open(server.host, { access: 'push' });
    const other = { digest: digestOf('other'), sizeBytes: 5 };
    await expect(stranger.putBlob(other, { bytes: Buffer.from('other') })).rejects.toMatchObject({
      code: 'REGISTRY_DENIED',
    });
    const wrong = open(server.host, { credentials: { user: 'ci', password: 'guessed' }, access: 'push' });
    const fault = await wrong.putBlob(other, { bytes: Buffer.from('other') }).catch((error) => error);
    expect(fault).toMatchObject({ code: 'REGISTRY_DENIED' });
    expect(`${fault.stack} ${JSON.stringify(fault)}`).not.toContain('guessed');
  });
});
