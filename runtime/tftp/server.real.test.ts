import { execFile } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { BootEvent } from '../boot/event.ts';
import { openLog } from '../log.ts';
import { tftpServer } from './server.ts';

const run = promisify(execFile);
const stop = new AbortController();
const socket = createSocket('udp4');
const events: BootEvent[] = [];
const big = randomBytes(3_000_000);
const text = Buffer.from('one\ntwo\r\n');
let directory: string;
let port: number;
let ended: Promise<void>;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tftp-test-'));
  await writeFile(join(directory, 'big'), big);
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  port = socket.address().port;
  const files = new Map([
    ['big.bin', { path: join(directory, 'big'), sizeBytes: big.length }],
    ['block.bin', { bytes: big.subarray(0, 1024) }],
    ['text', { bytes: text }],
    ['gone', { path: join(directory, 'gone'), sizeBytes: 10 }],
  ]);
  const log = openLog({ level: 'silent' });
  const fileOf = (name: string) => files.get(name);
  const server = tftpServer({
    socket,
    address: '127.0.0.1',
    fileOf,
    emit: (event) => events.push(event),
    log,
    now: Date.now,
  });
  ended = server.run(stop.signal);
});

afterAll(async () => {
  stop.abort();
  await ended;
  await rm(directory, { recursive: true });
});

const digest = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

async function fetched(name: string): Promise<string> {
  return digest(await readFile(join(directory, name)));
}

test.each([['512'], ['1468']])('tftpServer() serves curl with blocks of %s', async (size) => {
  await run('curl', ['-sS', '--tftp-blksize', size, '-o', join(directory, 'curl'), `tftp://127.0.0.1:${port}/big.bin`]);
  expect(await fetched('curl')).toBe(digest(big));
});

test.each([['1'], ['16'], ['64']])('tftpServer() serves atftp with a window of %s', async (window) => {
  const options = ['--option', 'blksize 1428', '--option', `windowsize ${window}`];
  const target = join(directory, 'atftp');
  await run('atftp', ['--get', ...options, '-r', 'big.bin', '-l', target, '127.0.0.1', String(port)]);
  expect(await fetched('atftp')).toBe(digest(big));
});

test('tftpServer() serves tftp-hpa, a file of an exact multiple of 512, and netascii', async () => {
  const target = join(directory, 'hpa');
  await run('tftp', ['-m', 'binary', '127.0.0.1', String(port), '-c', 'get', 'block.bin', target]);
  expect(await fetched('hpa')).toBe(digest(big.subarray(0, 1024)));
  await run('tftp', ['-m', 'ascii', '127.0.0.1', String(port), '-c', 'get', 'text', target]);
  expect(await readFile(target, 'latin1')).toBe('one\ntwo\r\n');
});

test('tftpServer() serves the npm tftp client with windows', async () => {
  interface Foreign {
    createClient(options: object): { get(remote: string, local: string, done: (error?: Error) => void): void };
  }
  const tftp = createRequire(import.meta.url)('tftp') as Foreign;
  const client = tftp.createClient({ host: '127.0.0.1', port, windowSize: 8, blockSize: 1400 });
  await promisify(client.get.bind(client))('big.bin', join(directory, 'npm'));
  expect(await fetched('npm')).toBe(digest(big));
});

test('tftpServer() tells what it sent', () => {
  expect(events).toContainEqual(
    expect.objectContaining({
      kind: 'tftp',
      address: '127.0.0.1',
      file: 'big.bin',
      result: 'done',
      sentBytes: 3_000_000,
    }),
  );
});

const names = ['nope', '../etc/passwd', '/etc/passwd', '..\\x', 'big.bin/', '%2e%2e/x', 'x'.repeat(300)];
test.each(names)('tftpServer() refuses the name %s', async (name) => {
  expect(await ask(`\0\x01${name}\0octet\0`)).toEqual('\0\x05\0\x01File not found\0');
});

test('tftpServer() refuses to write, and modes that it does not know', async () => {
  expect(await ask('\0\x02new\0octet\0')).toBe('\0\x05\0\x02Read-only server\0');
  expect(await ask('\0\x01text\0mail\0')).toBe('\0\x05\0\x04Mode is not octet or netascii\0');
});

test('tftpServer() goes on after a file that is missing on the disk and after garbage', async () => {
  expect(await ask('\0\x01gone\0octet\0')).toBe('\0\x05\0\0Internal error\0');
  const garbage = createSocket('udp4');
  for (const bytes of [[], [0], [0, 1], [0, 1, 0], [255, 255, 255]])
    garbage.send(Uint8Array.from(bytes), port, '127.0.0.1');
  expect(await ask('\0\x01text\0octet\0')).toBe(`\0\x03\0\x01${text}`);
  garbage.close();
});

test('tftpServer() answers a stranger with error 5 and leaves the transfer undisturbed', async () => {
  const node = createSocket('udp4');
  node.send('\0\x01block.bin\0octet\0', port, '127.0.0.1');
  const [first, from] = await once(node, 'message');
  const stranger = createSocket('udp4');
  stranger.send(Uint8Array.of(0, 4, 0, 1), from.port, '127.0.0.1');
  const [refusal] = await once(stranger, 'message');
  stranger.send(Uint8Array.of(0), from.port, '127.0.0.1');
  node.send(Uint8Array.of(0), from.port, '127.0.0.1');
  node.send(Uint8Array.of(0, 4, 0, 1), from.port, '127.0.0.1');
  const [second] = await once(node, 'message');
  expect(refusal.toString('latin1')).toBe('\0\x05\0\x05Unknown transfer ID\0');
  expect([first[3], second[3], second.length]).toEqual([1, 2, 516]);
  node.send(Uint8Array.of(0, 5, 0, 0, 0), from.port, '127.0.0.1');
  node.close();
  stranger.close();
});

test('tftpServer() lets others finish while one address opens transfers without end', async () => {
  const many = Array.from({ length: 100 }, () => createSocket('udp4'));
  const served = new Set<object>();
  for (const one of many) {
    one.on('message', () => served.add(one));
    one.bind(0, '127.0.0.2');
    await once(one, 'listening');
    one.send('\0\x01big.bin\0octet\0', port, '127.0.0.1');
  }
  await run('curl', ['-sS', '-o', join(directory, 'curl'), `tftp://127.0.0.1:${port}/big.bin`]);
  expect(await fetched('curl')).toBe(digest(big));
  expect(served.size).toBe(32);
  for (const one of many) one.close();
});

/** One datagram to the server, and the first one that comes back. */
async function ask(request: string): Promise<string> {
  const node = createSocket('udp4');
  node.send(Buffer.from(request, 'latin1'), port, '127.0.0.1');
  const [answer, from] = await once(node, 'message');
  node.send(Uint8Array.of(0, 4, 0, 1), from.port, from.address);
  node.close();
  return answer.toString('latin1');
}
