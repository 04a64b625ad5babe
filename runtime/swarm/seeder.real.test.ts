import { mkdtemp, readFile, rm, truncate } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Wire from 'bittorrent-protocol';
import fc from 'fast-check';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { BootEvent } from '../boot/event.ts';
import { createRandomBundle, type RandomBundle } from '../lab/swarm-run.ts';
import { openLog } from '../log.ts';
import { Seeder } from './seeder.ts';
import { encodeHandshake } from './wire.ts';

const kib = 1024;
let directory = '';
let bundle: RandomBundle;
let seeder: Seeder;
let events: BootEvent[] = [];
let logged = '';
let stop = new AbortController();
let running: Promise<void> = Promise.resolve();
let sockets: Socket[] = [];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'bt-seeder-'));
  const files = [
    { name: 'kernel', sizeBytes: 300 * kib + 7 },
    { name: 'rootfs', sizeBytes: 900 * kib },
  ];
  bundle = await createRandomBundle(directory, { name: 'debian', pieceLengthBytes: 64 * kib, files });
  events = [];
  logged = '';
  stop = new AbortController();
  const emit = (event: BootEvent) => void events.push(event);
  const stream = {
    write(line: string) {
      logged += line;
    },
  };
  const log = openLog({ stream });
  seeder = new Seeder({ host: '127.0.0.1', port: 0, log, emit, nowMs: () => Date.now(), random: Math.random });
  await seeder.seed(bundle.bundle);
  running = seeder.run(stop.signal);
  await expect.poll(() => seeder.port).not.toBe(0);
});

afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  sockets = [];
  stop.abort();
  await running;
  await rm(directory, { recursive: true, force: true });
});

function dial(): Socket {
  const socket = connect(seeder.port, '127.0.0.1');
  socket.on('error', () => {});
  sockets.push(socket);
  return socket;
}

/** A foreign peer that greeted the origin, and what it was shown. */
async function greet(about: { fast?: boolean } = {}): Promise<{ wire: Wire; socket: Socket; shown: number[] }> {
  const socket = dial();
  const wire = new Wire();
  const shown: number[] = [];
  wire.on('have', (piece: number) => shown.push(piece));
  wire.on('error', () => {});
  socket.pipe(wire).pipe(socket);
  wire.handshake(bundle.bundle.infoHash, '2d4254303130302d303030303030303030303030', about);
  await new Promise((resolve) => wire.once('unchoke', resolve));
  await expect.poll(() => shown.length).toBeGreaterThan(0);
  return { wire, socket, shown };
}

function request(wire: Wire, piece: number, offset: number, length: number): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    wire.request(piece, offset, length, (error, block) => (error ? reject(error) : resolve(block)));
  });
}

function isClosed(socket: Socket): Promise<boolean> {
  return new Promise((resolve) => {
    if (socket.destroyed) resolve(true);
    socket.on('close', () => resolve(true));
    socket.resume();
    setTimeout(() => resolve(false), 5000);
  });
}

async function bytesOfBundle(at: number, length: number): Promise<Buffer> {
  const all = Buffer.concat(await Promise.all(bundle.bundle.files.map((file) => readFile(file.path))));
  return all.subarray(at, at + length);
}

test.each([true, false])(
  'Seeder sends the bytes of every block of what it shows, with fast extension: %s',
  async (fast) => {
    const { wire, shown } = await greet({ fast });
    const done = new Set<number>();
    while (done.size < bundle.bundle.pieceCount) {
      const unread = () => shown.find((one) => !done.has(one));
      await expect.poll(unread).toBeDefined();
      const piece = unread() ?? 0;
      const sizeBytes = Math.min(64 * kib, bundle.sizeBytes - piece * 64 * kib);
      for (let offset = 0; offset < sizeBytes; offset += 16 * kib) {
        const length = Math.min(16 * kib, sizeBytes - offset);
        const block = await request(wire, piece, offset, length);
        expect(Buffer.from(block).equals(await bytesOfBundle(piece * 64 * kib + offset, length))).toBe(true);
      }
      wire.have(piece);
      done.add(piece);
    }
    await expect.poll(() => sentBytes()).toBe(bundle.sizeBytes);
  },
);

function sentBytes(): number {
  return events.reduce((total, event) => total + (event.kind === 'origin' ? event.sentBytes : 0), 0);
}

test('Seeder does not believe a peer that claims to have everything', async () => {
  const liar = new Wire();
  const socket = dial();
  socket.pipe(liar).pipe(socket);
  liar.handshake(bundle.bundle.infoHash, '2d4254303130302d303030303030303030303031');
  liar.bitfield(Uint8Array.of(0xff, 0xff, 0b1110_0000));
  await expect.poll(() => seeder.peerCount(bundle.bundle.infoHash)).toBe(1);
  const { shown } = await greet();
  await new Promise((resolve) => setTimeout(resolve, 200));
  expect(shown.length).toBeLessThan(4);
});

test('Seeder shows a peer few pieces before it has sent some', async () => {
  const { shown } = await greet();
  await new Promise((resolve) => setTimeout(resolve, 200));
  expect(shown).toHaveLength(3);
});

test.each<[string, string, (shown: number[]) => readonly [number, number, number]]>([
  ['more than 16 KiB', 'a block of 16385 bytes', ([piece = 0]) => [piece, 0, 16 * kib + 1]],
  ['nothing', 'a block outside of its piece', ([piece = 0]) => [piece, 0, 0]],
  ['a block beyond its piece', 'a block outside of its piece', ([piece = 0]) => [piece, 64 * kib - 1, 2]],
  ['a piece beyond the last', 'a block outside of its piece', () => [4_000_000_000, 0, 16 * kib]],
  [
    'a piece that it was not shown',
    'a piece that it was not shown',
    (shown) => [[0, 1, 2, 3].find((piece) => !shown.includes(piece)) ?? 0, 0, 16 * kib],
  ],
])('Seeder closes a peer that asks for %s', async (_, reason, ask) => {
  const { wire, socket, shown } = await greet();
  const [piece, offset, length] = ask(shown);
  request(wire, piece, offset, length).catch(() => {});
  expect(await isClosed(socket)).toBe(true);
  await expect.poll(() => seeder.peerCount(bundle.bundle.infoHash)).toBe(0);
  expect(logged).toContain(reason);
});

test('Seeder closes a peer that asks for far too much at once and reads nothing', async () => {
  const { wire, socket, shown } = await greet();
  socket.pause();
  for (let index = 0; index < 3000; index++) request(wire, shown[0] ?? 0, 0, 16 * kib).catch(() => {});
  await expect.poll(() => seeder.peerCount(bundle.bundle.infoHash)).toBe(0);
});

test('Seeder closes a peer that names another torrent, and one that speaks something else', async () => {
  const other = dial();
  other.write(encodeHandshake('f'.repeat(40) as typeof bundle.bundle.infoHash, Buffer.alloc(20)));
  expect(await isClosed(other)).toBe(true);
  const web = dial();
  web.write('GET /etc/passwd HTTP/1.1\r\n\r\n');
  expect(await isClosed(web)).toBe(true);
});

test('Seeder takes at most sixteen connections from one address', async () => {
  const many = Array.from({ length: 20 }, () => dial());
  await expect.poll(() => many.filter((socket) => socket.destroyed || socket.readableEnded).length).toBe(4);
});

test('Seeder goes on serving whatever bytes its peers send', async () => {
  const handshake = encodeHandshake(bundle.bundle.infoHash, Buffer.alloc(20));
  const word = fc.tuple(fc.constantFrom(0, 1, 5, 13, 0x4009, 0xffffffff), fc.nat(25), fc.uint8Array({ maxLength: 16 }));
  const noise = word.map(([length, kind, rest]) => {
    const head = Buffer.alloc(5);
    head.writeUInt32BE(length);
    head[4] = kind;
    return Buffer.concat([head, rest]);
  });
  await fc.assert(
    fc.asyncProperty(fc.boolean(), fc.array(noise, { maxLength: 8 }), async (greets, parts) => {
      const socket = dial();
      socket.end(Buffer.concat([...(greets ? [handshake] : []), ...parts]));
      await isClosed(socket);
      sockets = [];
    }),
    { numRuns: 200 },
  );
  const { wire, shown } = await greet();
  expect(await request(wire, shown[0] ?? 0, 0, kib)).toHaveLength(kib);
});

test('Seeder closes peers and answers no more after unseed(), and seeds again after seed()', async () => {
  const { socket } = await greet();
  await seeder.unseed(bundle.bundle.infoHash);
  expect(await isClosed(socket)).toBe(true);
  expect(seeder.seeding()).toEqual([]);
  await seeder.seed(bundle.bundle);
  await greet();
});

test('Seeder refuses a file of another size, and a file that is not there', async () => {
  await seeder.unseed(bundle.bundle.infoHash);
  const [kernel] = bundle.bundle.files;
  await truncate(kernel?.path ?? '', 5);
  await expect(seeder.seed(bundle.bundle)).rejects.toMatchObject({ code: 'SEED_FILE_CHANGED' });
  await rm(kernel?.path ?? '');
  await expect(seeder.seed(bundle.bundle)).rejects.toMatchObject({ code: 'SEED_FILE_CHANGED' });
  expect(seeder.seeding()).toEqual([]);
});

test('run() rejects where another program listens on its port', async () => {
  const second = new Seeder({
    host: '127.0.0.1',
    port: seeder.port,
    log: openLog({ level: 'silent' }),
    emit: () => {},
    nowMs: () => 0,
    random: () => 0,
  });
  await expect(second.run(new AbortController().signal)).rejects.toMatchObject({ code: 'SEEDER_NOT_LISTENING' });
});
