import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Digest } from '#bundle/digest.ts';
import { Fault } from '#bundle/fault.ts';
import { openRegistry, type Registry } from '../registry/client.ts';
import { parseReference } from '../registry/reference.ts';
import { downloadFile } from './download.ts';

/**
 * A server that lies at the level of bytes, asked for a file by URL and for a blob as a registry: each lie has an end,
 * a fault with a code and a hint, and leaves nothing that anybody could take for the file.
 */
const bytes = Buffer.alloc(300_000, 'boot');
const sha256 = createHash('sha256').update(bytes).digest('hex') as Digest;
const directory = mkdtempSync(join(tmpdir(), 'bt-lies-'));
const patience = { patienceMs: 700, patienceBytes: 10_000 };
const inTimeMs = 10_000;

type Lie = (socket: Socket, request: string) => void;
const head = (status: string, headers: Readonly<Record<string, string | number>> = {}) =>
  `HTTP/1.1 ${status}\r\n${Object.entries(headers)
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join('')}connection: close\r\n\r\n`;
const ok = (length: number) => head('200 OK', { 'content-length': length });
const leads = (location: string) => head('302 Found', { location, 'content-length': 0 });

/** Writes again and again until the other side has gone; at most 256 MB. */
function endless(socket: Socket, chunk: string | Buffer, pauseMs = 0): void {
  let left = (256 * 1024 * 1024) / chunk.length;
  const write = () => {
    while (left-- > 0 && !socket.destroyed) {
      const isTaken = socket.write(chunk);
      if (pauseMs > 0) return void setTimeout(write, pauseMs);
      if (!isTaken) return void socket.once('drain', write);
    }
  };
  write();
}

const changed = Buffer.from(bytes);
changed[150_000] = (changed[150_000] ?? 0) ^ 1;

/** The code for a URL, the code for a registry (none: it gets the right bytes all the same), what the server does. */
const lies: Readonly<Record<string, readonly [url: string, registry: string, lie: Lie]>> = {
  'other bytes': [
    'URL_DIGEST_MISMATCH',
    'DIGEST_MISMATCH',
    (one) => one.end(Buffer.concat([Buffer.from(ok(changed.length)), changed])),
  ],
  'an end in the middle': [
    'URL_FETCH_FAILED',
    'CUT_OFF',
    (one) => one.write(ok(bytes.length), () => one.end(bytes.subarray(0, 1000))),
  ],
  'a body without end': ['URL_TOO_LARGE', 'TOO_LARGE', (one) => one.write(head('200 OK'), () => endless(one, bytes))],
  'headers without end': [
    'URL_FETCH_FAILED',
    'FAILED',
    (one) => one.write('HTTP/1.1 200 OK\r\n', () => endless(one, `x: ${'y'.repeat(1000)}\r\n`)),
  ],
  'headers byte by byte': [
    'URL_TOO_SLOW',
    'SLOW',
    (one) => one.write('HTTP/1.1 200 OK\r\nx: ', () => endless(one, 'y', 100)),
  ],
  'a byte now and then': [
    'URL_TOO_SLOW',
    'SLOW|CUT_OFF',
    (one) => one.write(ok(bytes.length), () => endless(one, 'b', 100)),
  ],
  'nothing after the connection': ['URL_TOO_SLOW', 'SLOW', () => undefined],
  'nothing after the headers': ['URL_TOO_SLOW', 'SLOW|CUT_OFF', (one) => one.write(ok(bytes.length))],
  'the end at once': ['URL_FETCH_FAILED', 'FAILED', (one) => one.end()],
  'what is no HTTP': ['URL_FETCH_FAILED', 'FAILED', (one) => one.end('\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03')],
  'a length that is too short': [
    'URL_DIGEST_MISMATCH',
    'DIGEST_MISMATCH|CUT_OFF',
    (one) => one.end(Buffer.concat([Buffer.from(ok(1000)), bytes])),
  ],
  'a length that is too long': [
    'URL_FETCH_FAILED|URL_TOO_SLOW',
    '',
    (one) => one.end(Buffer.concat([Buffer.from(ok(bytes.length + 5)), bytes])),
  ],
  'a page that says sorry': [
    'URL_DIGEST_MISMATCH',
    'DIGEST_MISMATCH|CUT_OFF',
    (one) => one.end(`${head('200 OK', { 'content-type': 'text/html' })}<html>Not found</html>`),
  ],
  'a bomb in gzip': [
    'URL_DIGEST_MISMATCH',
    'DIGEST_MISMATCH|CUT_OFF',
    (one) => {
      const bomb = gzipSync(Buffer.alloc(100_000_000));
      one.end(
        Buffer.concat([
          Buffer.from(head('200 OK', { 'content-encoding': 'gzip', 'content-length': bomb.length })),
          bomb,
        ]),
      );
    },
  ],
  'a range that nobody asked for': [
    'URL_FETCH_FAILED',
    'CUT_OFF|DIGEST_MISMATCH|FAILED',
    (one) =>
      one.end(
        Buffer.concat([
          Buffer.from(head('206 Partial Content', { 'content-range': 'bytes 5-9/10', 'content-length': 5 })),
          bytes.subarray(0, 5),
        ]),
      ),
  ],
  'no such range': [
    'URL_FETCH_FAILED',
    'FAILED|CUT_OFF',
    (one) => one.end(head('416 Range Not Satisfiable', { 'content-length': 0 })),
  ],
  'a redirect to itself': [
    'URL_FETCH_FAILED',
    'REFUSED',
    (one, request) => one.end(leads(request.split(' ')[1] ?? '/')),
  ],
  'a redirect to a private address': [
    'URL_REFUSED',
    'REFUSED|FAILED|SLOW',
    (one) => one.end(leads('http://127.0.0.2:9/x')),
  ],
  'a redirect to the metadata of a cloud': [
    'URL_REFUSED',
    'REFUSED|FAILED|SLOW',
    (one) => one.end(leads('http://169.254.169.254/latest/meta-data')),
  ],
  'a redirect to a file': ['URL_REFUSED', 'REFUSED', (one) => one.end(leads('file:///etc/passwd'))],
  'a redirect to nothing': ['URL_REFUSED', 'REFUSED|FAILED', (one) => one.end(leads('http://[::'))],
  'a chunk of a wrong length': [
    'URL_FETCH_FAILED',
    'CUT_OFF|FAILED',
    (one) => one.end(`${head('200 OK', { 'transfer-encoding': 'chunked' })}ffffffffffffffff\r\nboot`),
  ],
};

let server: Server;
let registry: Registry;
let port = 0;
let lie: Lie = () => undefined;
const sockets = new Set<Socket>();

beforeAll(async () => {
  server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => sockets.delete(socket));
    socket.once('data', (request) => lie(socket, request.toString('latin1')));
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  port = (server.address() as { port: number }).port;
  const limits = { ...patience, tries: 2, pauseMs: 10 };
  registry = openRegistry({
    reference: parseReference(`127.0.0.1:${port}/site/boot`),
    allowedHosts: ['127.0.0.1'],
    limits,
  });
});
afterAll(async () => {
  registry.close();
  for (const socket of sockets) socket.destroy();
  await new Promise((resolve) => server.close(resolve));
  rmSync(directory, { recursive: true, force: true });
});

/** The fault, in time and with a hint. */
async function faultOf(work: Promise<unknown>): Promise<Fault> {
  const startMs = performance.now();
  const error = await work.then(
    () => undefined,
    (error: unknown) => error,
  );
  for (const socket of sockets) socket.destroy();
  expect(performance.now() - startMs).toBeLessThan(inTimeMs);
  expect(error).toBeInstanceOf(Fault);
  return error as Fault;
}

it('without a lie both get the bytes', async () => {
  lie = (socket) => socket.end(Buffer.concat([Buffer.from(ok(bytes.length)), bytes]));
  const path = join(directory, 'true');
  await downloadFile(`http://127.0.0.1:${port}/x`, path, { sha256, allowedHosts: ['127.0.0.1'], ...patience });
  await registry.downloadBlob({ digest: sha256, sizeBytes: bytes.length }, join(directory, 'blob'));
  expect(statSync(path).size).toBe(bytes.length);
});

it.each(Object.entries(lies))('downloadFile() ends with a fault: %s', async (name, [codes, , how]) => {
  lie = how;
  const path = join(directory, name.replaceAll(' ', '-'));
  const options = { sha256, allowedHosts: ['127.0.0.1'], limitBytes: 1_000_000, ...patience };
  const fault = await faultOf(downloadFile(`http://127.0.0.1:${port}/x`, path, options));
  expect(codes.split('|')).toContain(fault.code);
  expect(fault.hint?.length).toBeGreaterThan(10);
  expect(existsSync(path)).toBe(false);
});

it.each(Object.entries(lies).filter(([, [, codes]]) => codes !== ''))(
  'a registry ends with a fault: %s',
  async (name, [, codes, how]) => {
    lie = how;
    const path = join(directory, `blob-${name.replaceAll(' ', '-')}`);
    const fault = await faultOf(registry.downloadBlob({ digest: sha256, sizeBytes: bytes.length }, path));
    expect(codes.split('|').map((code) => `REGISTRY_${code}`)).toContain(fault.code);
    expect(fault.hint?.length).toBeGreaterThan(10);
    expect(existsSync(path) ? statSync(path).size : 0).toBeLessThanOrEqual(bytes.length);
  },
);

it.each(Object.entries(lies))('a registry asked for a manifest ends with a fault: %s', async (_, [, , how]) => {
  lie = how;
  const fault = await faultOf(registry.getManifest({ digest: sha256 }));
  expect(fault.code).toMatch(/^REGISTRY_/);
  expect(fault.hint?.length).toBeGreaterThan(10);
});
