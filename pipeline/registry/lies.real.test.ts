import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type IncomingHttpHeaders, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { digestOf } from '../store/digest.ts';
import { openRegistry, type Registry } from './client.ts';
import { parseReference } from './reference.ts';

const bytes = Buffer.alloc(50_000, 'boot');
const ref = { digest: digestOf(bytes), sizeBytes: bytes.length };
const directory = mkdtempSync(join(tmpdir(), 'bt-lies-'));
const password = 'the-secret-word';
const servers: Server[] = [];
/** What another host, which a registry leads to, was sent. */
const seenElsewhere: IncomingHttpHeaders[] = [];
let elsewhere = '';

async function serve(answer: RequestListener): Promise<string> {
  const server = createServer(answer);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** A registry that wants Basic authentication, and then answers so. */
async function lyingRegistry(answer: RequestListener, allowedHosts = ['127.0.0.1']): Promise<Registry> {
  const host = await serve((request, response) => {
    if (request.headers.authorization !== undefined) return answer(request, response);
    response.writeHead(401, { 'www-authenticate': 'Basic realm="test"' }).end();
  });
  return openRegistry({
    ...{ reference: parseReference(`${host}/site/boot`), credentials: { user: 'ci', password }, allowedHosts },
    limits: { patienceMs: 300, patienceBytes: 1000, tries: 2, pauseMs: 5 },
  });
}

beforeAll(async () => {
  elsewhere = await serve((request, response) => {
    seenElsewhere.push(request.headers);
    response.end(bytes);
  });
});
afterAll(() => {
  for (const server of servers) {
    server.closeAllConnections();
    server.close();
  }
  rmSync(directory, { recursive: true });
});

const redirect =
  (location: string): RequestListener =>
  (_, response) =>
    response.writeHead(307, { location }).end();

const lies: readonly (readonly [string, RequestListener, string])[] = [
  ['other bytes', (_, response) => response.end(Buffer.alloc(bytes.length)), 'REGISTRY_DIGEST_MISMATCH'],
  ['too few bytes', (_, response) => response.end(bytes.subarray(1)), 'REGISTRY_DIGEST_MISMATCH'],
  ['too many bytes', (_, response) => response.end(Buffer.concat([bytes, bytes])), 'REGISTRY_TOO_LARGE'],
  ['a body without end', (_, response) => pour(response, 0), 'REGISTRY_TOO_LARGE'],
  ['a byte now and then', (_, response) => pour(response, 50), 'REGISTRY_SLOW'],
  ['silence', () => {}, 'REGISTRY_SLOW'],
  ['redirects without end', (request, response) => redirect(request.url ?? '')(request, response), 'REGISTRY_REFUSED'],
  ['a redirect to a file', redirect('file:///etc/passwd'), 'REGISTRY_REFUSED'],
  [
    'a redirect with a password',
    (_, response) => response.writeHead(307, { location: `http://a:b@${elsewhere}/` }).end(),
    'REGISTRY_REFUSED',
  ],
  ['a redirect to nowhere', redirect('http://['), 'REGISTRY_REFUSED'],
  [
    'nothing but errors',
    (_, response) => response.writeHead(500).end(`{"errors":[{"code":"${password}"}]}`),
    'REGISTRY_FAILED',
  ],
  ['no entry', (_, response) => response.writeHead(403).end(password), 'REGISTRY_DENIED'],
];

it.each(lies)('getBlob() meets %s with an end and a code, and tells no password', async (_, answer, code) => {
  const registry = await lyingRegistry(answer);
  const fault = await registry.getBlob(ref.digest, ref.sizeBytes).catch((error) => error);
  registry.close();
  expect(fault).toMatchObject({ code });
  expect(`${fault.stack} ${fault.hint} ${fault.cause}`).not.toContain(password);
});

it('downloadBlob() gives up on a registry that always breaks off, and on one that sends too much', async () => {
  const short = await lyingRegistry((_, response) => response.end(bytes.subarray(0, 100)));
  await expect(short.downloadBlob(ref, join(directory, 'short'))).rejects.toMatchObject({ code: 'REGISTRY_CUT_OFF' });
  short.close();
  const long = await lyingRegistry((_, response) => pour(response, 0));
  await expect(long.downloadBlob(ref, join(directory, 'long'))).rejects.toMatchObject({ code: 'REGISTRY_TOO_LARGE' });
  long.close();
});

it('a redirect to another host is followed without the credentials', async () => {
  const registry = await lyingRegistry((_, response) =>
    response.writeHead(307, { location: `http://${elsewhere}/x` }).end(),
  );
  expect(await registry.getBlob(ref.digest, ref.sizeBytes)).toEqual(bytes);
  registry.close();
  expect(seenElsewhere.length).toBeGreaterThan(0);
  expect(seenElsewhere.map(({ authorization }) => authorization)).toEqual(seenElsewhere.map(() => undefined));
});

it('an upload is sent to another host without the credentials', async () => {
  seenElsewhere.length = 0;
  const registry = await lyingRegistry((request, response) => {
    if (request.method === 'HEAD') response.writeHead(404).end();
    else response.writeHead(202, { location: `http://${elsewhere}/x` }).end();
  });
  await expect(registry.putBlob(ref, { bytes })).rejects.toMatchObject({ code: 'REGISTRY_FAILED' });
  registry.close();
  expect(seenElsewhere.map(({ authorization }) => authorization)).toEqual(seenElsewhere.map(() => undefined));
});

it('the address of a commit’s registry must not be private unless the site allows it', async () => {
  const refused = { code: 'REGISTRY_REFUSED' };
  const registry = await lyingRegistry((_, response) => response.end(bytes), []);
  await expect(registry.getBlob(ref.digest, ref.sizeBytes)).rejects.toMatchObject(refused);
  registry.close();
});

it('a registry with a public address does not lead to a private one', async () => {
  const program = fileURLToPath(new URL('testdata/public-registry.ts', import.meta.url));
  const address = 'ip link set lo up && ip addr add 203.0.113.5/32 dev lo && exec "$@"';
  const argv = ['--net', 'sh', '-c', address, 'sh', process.execPath, program];
  expect((await promisify(execFile)('unshare', argv)).stdout).toBe('REGISTRY_REFUSED');
});

it('a token is asked for this repository alone, whatever the challenge says', async () => {
  const scopes: (string | null)[] = [];
  const tokens = await serve((request, response) => {
    scopes.push(new URL(request.url ?? '', 'http://a').searchParams.get('scope'));
    response.end('{"token":"abc"}');
  });
  const challenge = `Bearer realm="http://${tokens}/t",scope="repository:other/secret:pull,push,delete"`;
  const host = await serve((request, response) => {
    if (request.headers.authorization === 'Bearer abc') response.end(bytes);
    else response.writeHead(401, { 'www-authenticate': challenge }).end();
  });
  const registry = openRegistry({ reference: parseReference(`${host}/site/boot`), allowedHosts: ['127.0.0.1'] });
  expect(await registry.getBlob(ref.digest, ref.sizeBytes)).toEqual(bytes);
  registry.close();
  expect(scopes).toEqual(['repository:site/boot:pull']);
});

/** Bytes without end: as fast as they are taken, or one after each pause. */
function pour(
  response: { write(bytes: Buffer): boolean; once(event: 'drain', go: () => void): unknown; destroyed: boolean },
  pauseMs: number,
): void {
  const more = (): void => {
    if (response.destroyed) return;
    if (pauseMs > 0) {
      response.write(Buffer.alloc(1));
      setTimeout(more, pauseMs);
    } else if (response.write(Buffer.alloc(20_000))) setImmediate(more);
    else response.once('drain', more);
  };
  more();
}
