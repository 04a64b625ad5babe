import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { join } from 'node:path';
import { decodeBase64, encodeBase64 } from '#bundle/base64.ts';
import { encodeBencode } from '#bundle/bencode.ts';
import { type BootTicket, parseTicket, type TicketRelease } from '#bundle/boot-ticket.ts';
import { parseManifest } from '#bundle/manifest.ts';
import { encodeMetainfo, parseMetainfo, withAnnounce } from '#bundle/metainfo.ts';
import { createSignature, formatSignature, parseSignature } from '#bundle/signature.ts';
import { generateSecretKey, nodeSigner } from '#store/ed25519.ts';

/**
 * A lying server, for the tests: it stands between nodes and the runtime, passes everything on, and changes what the
 * file `mode` says. Runs as a process of its own in the server's namespace:
 * `node hostile-server.ts <listen port> <runtime's address:port> <folder>`.
 */
export type Lie = 'none' | 'catalog-byte' | 'foreign-key' | 'manifest-byte' | 'file-and-torrent';

const [port = '8481', upstream = '10.77.0.1:8480', folder = '.'] = process.argv.slice(2);
const seeders = new Map<number, ChildProcess>();

const server = createServer((request, response) => {
  answer(request, response).catch((error) => {
    process.stderr.write(`${error}\n`);
    response.destroy();
  });
});
server.listen(Number(port), '0.0.0.0');
process.on('SIGTERM', () => {
  for (const seeder of seeders.values()) seeder.kill('SIGKILL');
  process.exit(0);
});

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = request.url ?? '/';
  const lie = readFileSync(join(folder, 'mode'), 'utf8').trim() as Lie;
  if (lie === 'file-and-torrent' && url.startsWith('/announce/')) return void response.end(announceReply());
  const body: Buffer[] = [];
  for await (const chunk of request) body.push(chunk as Buffer);
  const range = request.headers.range;
  const inbound = await fetch(`http://${upstream}${url}`, {
    method: request.method ?? 'GET',
    headers: { 'content-type': 'application/json', ...(range !== undefined && { range }) },
    ...(body.length > 0 && { body: Buffer.concat(body) }),
  });
  const bytes = Buffer.from(await inbound.arrayBuffer());
  const told = inbound.ok && url.startsWith('/v1/ticket/') ? await lieInTicket(bytes, { lie, url }) : bytes;
  response.writeHead(inbound.status, { 'content-length': told.length });
  response.end(told);
}

async function lieInTicket(bytes: Buffer, { lie, url }: { lie: Lie; url: string }): Promise<Buffer> {
  const ticket = parseTicket(bytes.toString());
  const { image } = ticket;
  const announceUrl = `http://${upstream}/announce/${url.split('/')[3]?.split('?')[0]}`;
  switch (lie) {
    case 'none':
      return bytes;
    case 'catalog-byte':
      return told({ ...ticket, catalog: ticket.catalog.replace('"title": "', '"title": "X') });
    case 'foreign-key': {
      const catalog = ticket.catalog.replace('"title": "', '"title": "X');
      return told({ ...ticket, catalog, signature: signAgain(catalog, ticket.signature) });
    }
    case 'manifest-byte':
      return told({ ...ticket, image: { ...image, manifest: image.manifest.replace('"format": 1', '"format":  1') } });
    case 'file-and-torrent': {
      await seed(ticket.bootstrap, { announceUrl, isChanged: false });
      return told({ ...ticket, image: { ...image, torrent: await seed(image, { announceUrl, isChanged: true }) } });
    }
    default:
      return lie satisfies never;
  }
}

function told(ticket: BootTicket): Buffer {
  return Buffer.from(JSON.stringify(ticket));
}

function signAgain(catalog: string, signature: string): string {
  const { trustedComment } = parseSignature(signature);
  const by = { key: generateSecretKey(), trustedComment, signer: nodeSigner };
  return formatSignature(createSignature(Buffer.from(catalog), by));
}

/**
 * Seeds a release from here. With `isChanged` one byte of its first file is another one, and the torrent fits that.
 * @returns the torrent, in base64
 */
async function seed(release: TicketRelease, how: { announceUrl: string; isChanged: boolean }): Promise<string> {
  const manifest = parseManifest(release.manifest);
  const torrent = parseMetainfo(decodeBase64(release.torrent) ?? new Uint8Array());
  const directory = join(folder, 'seed', torrent.name);
  mkdirSync(directory, { recursive: true });
  const contents: Buffer[] = [];
  for (const { name } of torrent.files) {
    const sha256 = manifest.files.find((file) => file.name === name)?.sha256;
    const blob = await fetch(`http://${upstream}/blob/${sha256}/${name}`);
    const bytes = Buffer.from(await blob.arrayBuffer());
    if (how.isChanged && contents.length === 0) bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
    writeFileSync(join(directory, name), bytes);
    contents.push(bytes);
  }
  const pieces = pieceHashes(Buffer.concat(contents), torrent.pieceLengthBytes);
  const metainfo = encodeMetainfo({ ...torrent, pieces });
  const path = join(folder, `${torrent.name}.torrent`);
  writeFileSync(path, withAnnounce(metainfo, `http://127.0.0.1:${port}/announce/seed`));
  startSeeder(path, how.isChanged ? 7001 : 7002);
  return encodeBase64(withAnnounce(metainfo, how.announceUrl));
}

function pieceHashes(bytes: Buffer, length: number): Uint8Array {
  const hashes: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += length) {
    hashes.push(
      createHash('sha1')
        .update(bytes.subarray(at, at + length))
        .digest(),
    );
  }
  return Buffer.concat(hashes);
}

function startSeeder(torrentPath: string, listenPort: number): void {
  if (seeders.has(listenPort)) return;
  const shared = [`--dir=${join(folder, 'seed')}`, '--seed-ratio=0.0', '--check-integrity=true', '--stop=600'];
  const quiet = ['--enable-dht=false', '--bt-enable-lpd=false', '--quiet=true', `--listen-port=${listenPort}`];
  seeders.set(listenPort, spawn('aria2c', [...shared, ...quiet, torrentPath], { stdio: 'ignore' }));
}

/** A tracker's reply (BEP 3, compact as in BEP 23) that knows the liar's own seeders. */
function announceReply(): Buffer {
  const [host = ''] = upstream.split(':');
  const bytes = [...seeders.keys()].flatMap((at) => [...host.split('.').map(Number), at >> 8, at & 255]);
  const reply = new Map<string, number | Uint8Array>([
    ['interval', 5],
    ['peers', new Uint8Array(bytes)],
  ]);
  return Buffer.from(encodeBencode(reply));
}
