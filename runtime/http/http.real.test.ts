import { execFile } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { type AddressInfo, createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { FastifyInstance } from 'fastify';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type BootReport, parseReply, reportLimitBytes } from '#bundle/boot-report.ts';
import { Fault } from '#bundle/fault.ts';
import type { Status } from '../dashboard/view.ts';
import { bootListener } from './boot-listener.ts';
import { parseListenAddress } from './listen.ts';
import { statusListener } from './status-listener.ts';

const bytes = randomBytes(300_000);
const digest = createHash('sha256').update(bytes).digest('hex');
const hidden = 'f'.repeat(64);
const session = '0123456789abcdef'.repeat(2);
const mac = '52:54:00:00:00:01';

let folder = '';
let url = '';
let app: FastifyInstance;
let watch: FastifyInstance;
const seen: { readonly sentBytes: number }[] = [];
const sentBytes = () => seen.reduce((sum, sent) => sum + sent.sentBytes, 0);
const reports: BootReport[] = [];
const reply = { originBytes: 5, httpBytes: 6, mayGo: false };

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bt-http-'));
  for (const name of [digest, hidden]) {
    await mkdir(join(folder, name.slice(0, 2)), { recursive: true });
    await writeFile(join(folder, name.slice(0, 2), name), bytes);
  }
  app = bootListener({
    blobsPath: folder,
    answers: {
      script: (request) => `#!ipxe ${JSON.stringify(request)}\n`,
      ticket: ({ arch }) => {
        if (arch === 'arm64') throw new Fault('IMAGE_UNKNOWN', 'Cannot choose an image');
        return '{}';
      },
      announce: ({ query }) => Buffer.from(query),
      report: (report) => {
        reports.push(report);
        return reply;
      },
      blob: async (wanted) => (wanted === digest ? `${digest.slice(0, 2)}/${digest}` : undefined),
      blobSent: (sent) => seen.push(sent),
    },
  });
  url = await app.listen({ host: '127.0.0.1', port: 0 });
  let changed = () => {};
  watch = statusListener({
    status: () => ({ ready: false, nowMs: 5 }) as Status,
    nodes: () => ({ nowMs: 5, nodes: [] }),
    node: () => undefined,
    metrics: async () => ({ type: 'text/plain', text: 'x 1\n' }),
    page: () => '<!doctype html>',
    subscribe: (callback) => {
      changed = callback;
      setTimeout(() => changed(), 20);
      return () => {};
    },
  });
});

afterAll(async () => {
  await app.close();
  await watch.close();
  await rm(folder, { recursive: true, force: true });
});

describe('boot listener', () => {
  it('has exactly these routes', () => {
    expect(app.printRoutes({ commonPrefix: false }).match(/[^\s│├└─]+ \([A-Z, ]+\)/g)).toEqual([
      '/boot/:mac/:file (GET)',
      '/blob/:digest/:name (GET, HEAD)',
      '/v1/ticket/:session (GET)',
      '/v1/report (POST)',
      '/announce/:session (GET)',
    ]);
  });

  it.each(['PUT', 'DELETE', 'PATCH', 'OPTIONS', 'POST'])('answers 404 to %s everywhere', async (method) => {
    for (const path of ['/', `/blob/${digest}/x`, `/boot/${mac}/bios.ipxe`, `/v1/ticket/${session}`]) {
      expect((await fetch(url + path, { method })).status).toBe(404);
    }
  });

  it('gives the boot script of a MAC and a firmware', async () => {
    const text = await (await fetch(`${url}/boot/52-54-00-00-00-01/uefi-x64.ipxe`)).text();
    expect(text).toBe(`#!ipxe {"mac":"${mac}","firmware":"uefi-x64","address":"127.0.0.1"}\n`);
    expect((await fetch(`${url}/boot/nonsense/bios.ipxe`)).status).toBe(400);
    expect((await fetch(`${url}/boot/${mac}/toaster.ipxe`)).status).toBe(400);
  });

  it('serves a blob of a served bundle whole, in parts, and its head', async () => {
    const whole = await fetch(`${url}/blob/${digest}/vmlinuz`);
    expect(Buffer.from(await whole.arrayBuffer()).equals(bytes)).toBe(true);
    expect(whole.headers.get('etag')).toBe(`"${digest}"`);
    expect(whole.headers.get('cache-control')).toContain('immutable');
    const part = await fetch(`${url}/blob/${digest}/vmlinuz`, {
      headers: { range: 'bytes=100-199', 'if-range': `"${digest}"` },
    });
    expect(part.status).toBe(206);
    expect(Buffer.from(await part.arrayBuffer()).equals(bytes.subarray(100, 200))).toBe(true);
    expect((await fetch(`${url}/blob/${digest}/x`, { headers: { range: 'bytes=900000-' } })).status).toBe(416);
    const head = await fetch(`${url}/blob/${digest}/vmlinuz`, { method: 'HEAD' });
    expect(head.headers.get('content-length')).toBe('300000');
    const fresh = await fetch(`${url}/blob/${digest}/x`, { headers: { 'if-none-match': `"${digest}"` } });
    expect(fresh.status).toBe(304);
    await expect.poll(() => sentBytes()).toBeGreaterThan(299_999);
  });

  it('goes on where curl left off', async () => {
    await writeFile(join(folder, 'part'), bytes.subarray(0, 123_456));
    const argv = ['-sf', '-C', '-', '-o', join(folder, 'part'), `${url}/blob/${digest}/vmlinuz`];
    await promisify(execFile)('curl', argv);
    expect((await readFile(join(folder, 'part'))).equals(bytes)).toBe(true);
  });

  it('serves no other file of the store, and nothing by a path', async () => {
    expect((await fetch(`${url}/blob/${hidden}/x`)).status).toBe(404);
    for (const path of [`/blob/../${digest}`, '/blob/%2e%2e/%2e%2e', `/blob/${digest}/..%2f..%2fetc%2fpasswd`]) {
      expect([400, 404]).toContain(await rawStatus(path));
    }
  });

  it('takes a report, and refuses one that is large or wrong', async () => {
    const post = (body: string) => fetch(`${url}/v1/report`, { method: 'POST', body });
    const report = { session, mac, phase: 'download', uptimeMs: 1 };
    expect(parseReply(await (await post(JSON.stringify(report))).text())).toEqual(reply);
    expect(reports).toEqual([report]);
    expect((await post(JSON.stringify({ ...report, phase: 'exploded' }))).status).toBe(400);
    expect((await post('x'.repeat(reportLimitBytes + 1))).status).toBe(413);
    expect(reports).toHaveLength(1);
  });

  it('passes the announce query on as it came: an infohash is no UTF-8', async () => {
    expect(await (await fetch(`${url}/announce/${session}?info_hash=%ff%00a&port=1`)).text()).toBe(
      'info_hash=%ff%00a&port=1',
    );
  });

  it('answers 503 with the reason where there is nothing to give now', async () => {
    const reply = await fetch(`${url}/v1/ticket/${session}?mac=${mac}&arch=arm64`);
    expect([reply.status, await reply.text()]).toEqual([503, 'Cannot choose an image [IMAGE_UNKNOWN]\n']);
    expect(reply.statusText).toBe('IMAGE_UNKNOWN');
    expect((await fetch(`${url}/v1/ticket/${session}?mac=${mac}&arch=z80`)).status).toBe(400);
  });

  it('slows down an address that asks without end', async () => {
    const replies = await Promise.all(Array.from({ length: 300 }, () => fetch(`${url}/nothing`)));
    expect(replies.filter(({ status }) => status === 429).length).toBeGreaterThan(50);
  });
});

describe('status listener', () => {
  it('is read-only', async () => {
    for (const method of ['POST', 'PUT', 'DELETE'] as const) {
      expect((await watch.inject({ method, url: '/v1/report', payload: '{}' })).statusCode).toBe(404);
      expect((await watch.inject({ method, url: '/v1/status', payload: '{}' })).statusCode).toBe(404);
    }
  });

  it('is alive before it is ready', async () => {
    expect((await watch.inject('/healthz')).statusCode).toBe(200);
    expect((await watch.inject('/readyz')).statusCode).toBe(503);
    expect((await watch.inject('/metrics')).body).toBe('x 1\n');
  });

  it('answers for all nodes, for one, and says what is wrong with an address', async () => {
    const codes = ['', '/52:54:00:00:00:01', '/nonsense'].map(async (path) => {
      return (await watch.inject(`/v1/nodes${path}`)).statusCode;
    });
    expect(await Promise.all(codes)).toEqual([200, 404, 400]);
  });

  it('sends the status at once and again after a change', async () => {
    const address = await watch.listen({ host: '127.0.0.1', port: 0 });
    const reply = await fetch(`${address}/v1/events`);
    const reader = reply.body!.getReader();
    let text = '';
    while (text.split('event: status').length < 3) text += Buffer.from((await reader.read()).value!).toString();
    expect(text).toContain('data: {"ready":false,"nowMs":5}');
    await reader.cancel();
  });
});

describe('parseListenAddress()', () => {
  it('reads a host with port and a socket, and refuses the rest', () => {
    expect(parseListenAddress('127.0.0.1:8470')).toEqual({ kind: 'tcp', host: '127.0.0.1', port: 8470 });
    expect(parseListenAddress('[::1]:80')).toEqual({ kind: 'tcp', host: '::1', port: 80 });
    expect(parseListenAddress('unix:/run/x')).toMatchObject({ kind: 'unix', path: '/run/x' });
    expect(() => parseListenAddress('8470')).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }));
  });
});

/** The status of a request whose path is sent as it is: fetch would resolve dots. */
function rawStatus(path: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const socket = createConnection((app.server.address() as AddressInfo).port, '127.0.0.1');
    socket.on('error', reject);
    socket.once('data', (answer) => {
      resolve(Number(answer.toString().split(' ')[1]));
      socket.destroy();
    });
    socket.write(`GET ${path} HTTP/1.1\r\nhost: x\r\n\r\n`);
  });
}
