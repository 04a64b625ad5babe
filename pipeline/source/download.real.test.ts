import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { digestOf } from '../store/digest.ts';
import { type DownloadOptions, downloadFile } from './download.ts';

const bytes = Buffer.alloc(100_000, 'boot');
const sha256 = digestOf(bytes);
let server: Server;
let root = '';
let directory = '';

const answer: RequestListener = (request, response) => {
  const redirects: Record<string, string> = {
    '/again': '/file',
    '/inside': `http://localhost:${(server.address() as AddressInfo).port}/file`,
    '/literal': 'http://10.0.0.1/file',
    '/mapped': 'http://[::ffff:127.0.0.1]/file',
    '/loop': '/loop',
    '/local': 'file:///etc/passwd',
  };
  const target = redirects[request.url ?? ''];
  if (target) response.writeHead(302, { location: target }).end();
  else if (request.url === '/file') response.end(bytes);
  else response.writeHead(404).end();
};

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'boottorrent-download-'));
  server = createServer(answer).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  root = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(async () => {
  server.close();
  await rm(directory, { recursive: true, force: true });
});

function download(path: string, options: Partial<DownloadOptions> = {}): Promise<void> {
  return downloadFile(`${root}${path}`, join(directory, 'out'), { sha256, allowedHosts: ['127.0.0.1'], ...options });
}

it.each(['/file', '/again'])('downloadFile() gets %s', async (path) => {
  await download(path);
  expect(await readFile(join(directory, 'out'))).toEqual(bytes);
});

it.each([
  ['an address of this host', '/file', { allowedHosts: [] }, 'URL_REFUSED'],
  ['a redirect to a name with a private address', '/inside', {}, 'URL_REFUSED'],
  ['a redirect to a private address', '/literal', {}, 'URL_REFUSED'],
  ['a redirect to IPv4 within IPv6', '/mapped', {}, 'URL_REFUSED'],
  ['a redirect to a file', '/local', {}, 'URL_REFUSED'],
  ['redirects without end', '/loop', {}, 'URL_FETCH_FAILED'],
  ['a missing file', '/missing', {}, 'URL_FETCH_FAILED'],
  ['other bytes', '/file', { sha256: digestOf('other') }, 'URL_DIGEST_MISMATCH'],
  ['too many bytes', '/file', { limitBytes: 99_999 }, 'URL_TOO_LARGE'],
])('downloadFile() refuses %s', async (_, path, options, code) => {
  await expect(download(path, options)).rejects.toMatchObject({ code });
});
