import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { Worker } from 'node:worker_threads';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import type { ManifestFile } from '#bundle/manifest.ts';
import { makeAgentPrograms } from '#runtime/lab/agent-programs.ts';
import { digestOf } from '#store/digest.ts';
import { openProcessHost } from '../process-host.ts';
import type { SwarmNode } from '../swarm-node/swarm-node.ts';
import { openProgress } from './download-progress.ts';
import { fetchFiles, wantedFiles } from './fetch-files.ts';
import type { Delivery } from './phases.ts';
import type { Reporter } from './reporter.ts';
import { verifyFiles } from './verify-files.ts';

const host = openProcessHost();
const root = `${host.workPath}/run`;
const [kernel, initrd] = [randomBytes(50_000), randomBytes(2_000_000)];
const lines: string[] = [];
const reporter: Reporter = {
  say: (topic, text) => void lines.push(`${topic} ${text}`),
  report: () => undefined,
  again: () => {},
  catchUp: () => true,
  failed: () => {},
  setImage: () => {},
};
const path = process.env.PATH;
let server: Worker;
let url = '';
let delivery: Delivery;

/**
 * In a thread of its own, since the agent blocks. Of `initrd` the first body is cut off in the middle, and the second
 * request gets an error; `unknown` is not there.
 */
const program = `
  const { parentPort, workerData } = require('node:worker_threads');
  const log = [];
  parentPort.on('message', () => parentPort.postMessage(log.splice(0)));
  const server = require('node:http').createServer((request, response) => {
    const [, , digest, name] = request.url.split('/');
    const bytes = Buffer.from(workerData[name] ?? []);
    const start = Number(/bytes=(\\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0);
    const tries = log.push(name + ' from ' + start);
    if (bytes.length === 0) return response.writeHead(404).end();
    if (name === 'initrd' && tries === 2) return response.writeHead(503).end();
    response.writeHead(start > 0 ? 206 : 200, {
      'content-length': bytes.length - start,
      ...(start > 0 && { 'content-range': 'bytes ' + start + '-' + (bytes.length - 1) + '/' + bytes.length }),
    });
    if (name === 'initrd' && tries === 1) response.write(bytes.subarray(0, 1000000), () => setTimeout(() => response.destroy(), 200));
    else response.end(bytes.subarray(start));
  });
  server.listen(0, '127.0.0.1', () => parentPort.postMessage(server.address().port));
`;

beforeAll(async () => {
  await makeAgentPrograms(`${host.workPath}/bin`);
  process.env.PATH = `${host.workPath}/bin:${path}`;
  server = new Worker(program, { eval: true, workerData: { kernel, initrd, wrong: randomBytes(50_000) } });
  const [port] = await once(server, 'message');
  url = `http://127.0.0.1:${port}`;
});

afterAll(async () => {
  process.env.PATH = path;
  await server.terminate();
  host.remove();
});

beforeEach(async () => {
  lines.length = 0;
  await requests();
  await rm(root, { recursive: true, force: true });
  delivery = deliver([fileOf('kernel', kernel), fileOf('initrd', initrd)]);
  mkdirSync(`${root}/files/image/os`, { recursive: true });
});

function fileOf(name: string, bytes: Buffer): ManifestFile {
  return { name, role: name === 'kernel' ? 'kernel' : 'initrd', sizeBytes: bytes.length, sha256: digestOf(bytes) };
}

function deliver(files: readonly ManifestFile[]): Delivery {
  const manifest = {
    format: 1,
    kind: 'image',
    name: 'os',
    arch: 'amd64',
    method: 'kexec',
    memoryBytes: 1,
    files,
  } as const;
  return { folder: 'image', manifest, files, hint: { manifest: '' } };
}

async function requests(): Promise<readonly string[]> {
  server.postMessage('log');
  const [log] = await once(server, 'message');
  return log;
}

function fetch(): void {
  const progress = openProgress(host, { totalBytes: 2_050_000, reporter });
  fetchFiles(host, wantedFiles([delivery]), { server: url, root, reporter, progress });
}

it('goes on where a file was cut off, tries again after an error, and says why', async () => {
  delivery = deliver([fileOf('initrd', initrd)]);
  fetch();
  expect(digestOf(host.readBytes(`${root}/files/image/os/initrd`) ?? '')).toBe(digestOf(initrd));
  const [first, second, third, ...others] = await requests();
  expect(first).toBe('initrd from 0');
  expect(second).toBe('initrd from 1000000');
  expect(third).toBe('initrd from 1000000');
  expect(others).toEqual([]);
  expect(lines.some((line) => line.includes('503'))).toBe(true);
});

it('keeps a file that is right, and nothing of one that has holes', async () => {
  delivery = deliver([fileOf('kernel', kernel), fileOf('initrd', initrd), fileOf('kernel', kernel)]);
  host.writeBytes(`${root}/files/image/os/initrd`, initrd);
  host.writeBytes(`${root}/files/image/os/kernel`, Buffer.concat([kernel.subarray(0, 20_000), Buffer.alloc(30_000)]));
  fetch();
  expect(digestOf(host.readBytes(`${root}/files/image/os/kernel`) ?? '')).toBe(digestOf(kernel));
  expect(await requests()).toEqual(['kernel from 0']);
});

it('gives up with a reason when the server has no such file', () => {
  delivery = deliver([fileOf('unknown', kernel)]);
  expect(fetch).toThrow(expect.objectContaining({ code: 'DOWNLOAD_FAILED', message: expect.stringContaining('404') }));
});

it('verifyFiles() fetches a wrong file once more, and ends the client that has it', async () => {
  delivery = deliver([fileOf('kernel', kernel)]);
  host.writeBytes(`${root}/files/image/os/kernel`, Buffer.alloc(50_000));
  const stops: string[] = [];
  const swarm = { stop: () => void stops.push('stop') } as unknown as SwarmNode;
  expect(verifyFiles(host, [delivery], { server: url, root, totalBytes: 50_000, reporter, swarm })).toBeUndefined();
  expect(stops).toEqual(['stop']);
  expect(digestOf(host.readBytes(`${root}/files/image/os/kernel`) ?? '')).toBe(digestOf(kernel));
  expect(verifyFiles(host, [delivery], { server: url, root, totalBytes: 50_000, reporter, swarm })).toBe(swarm);
});

it('verifyFiles() starts nothing that the server has wrong as well', () => {
  delivery = deliver([fileOf('wrong', kernel)]);
  const options = { server: url, root, totalBytes: 50_000, reporter, swarm: undefined };
  expect(() => verifyFiles(host, [delivery], options)).toThrow(
    expect.objectContaining({ code: 'FILE_DIGEST_MISMATCH' }),
  );
});
