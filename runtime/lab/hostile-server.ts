import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { join } from 'node:path';
import { decodeBase64, encodeBase64 } from '#bundle/base64.ts';
import { type BencodedDictionary, decodeBencode, encodeBencode } from '#bundle/bencode.ts';
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
export type Lie =
  | 'none'
  | 'catalog-byte'
  | 'foreign-key'
  | 'manifest-byte'
  | 'file-and-torrent'
  /** A torrent with a file outside of its directory. */
  | 'torrent-outside'
  /** Bodies without an end: of the ticket, or of files by HTTP. */
  | 'endless-ticket'
  | 'endless-file'
  /** No file by HTTP is longer than some bytes, whatever its header says. */
  | 'cut-file';

const [port = '8481', upstream = '10.77.0.1:8480', folder = '.'] = process.argv.slice(2);
const seeders = new Map<number, ChildProcess>();
/** Digest of the file that is seeded with another last byte: by HTTP it is told the same way. */
let changedDigest: string | undefined;

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
  const isAboutFiles = lie === 'file-and-torrent' || lie === 'endless-file' || lie === 'cut-file';
  if (isAboutFiles && url.startsWith('/announce/')) return void response.end(announceReply());
  if (lie === 'endless-ticket' && url.startsWith('/v1/ticket/')) return writeForEver(response);
  if ((lie === 'endless-file' || lie === 'cut-file') && url.startsWith('/blob/')) {
    // Files come by HTTP alone: a web seed would only delay that.
    const isProgram = /wget/i.test(request.headers['user-agent'] ?? '');
    if (!isProgram) return void response.writeHead(503).end();
    return lie === 'cut-file' ? writeBeginning(response, request.headers.range) : writeForEver(response);
  }
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
  const contentRange = inbound.headers.get('content-range');
  const isChanged = lie === 'file-and-torrent' && url.startsWith(`/blob/${changedDigest}/`);
  if (isChanged && isEndOfFile(contentRange)) flipLastByte(told);
  response.writeHead(inbound.status, {
    'content-length': told.length,
    ...(contentRange !== null && { 'content-range': contentRange }),
  });
  response.end(told);
}

/** Whether a body goes up to the end of its file. @param contentRange of RFC 9110, section 14.4 */
function isEndOfFile(contentRange: string | null): boolean {
  const [, end, total] = /-([0-9]+)\/([0-9]+)$/.exec(contentRange ?? '') ?? [];
  return end === undefined || Number(end) + 1 === Number(total);
}

function flipLastByte(bytes: Buffer): void {
  if (bytes.length > 0) bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
}

/** As fast as it is read. */
function writeForEver(response: ServerResponse): void {
  const chunk = Buffer.alloc(64 * 1024, 'endless ');
  const more = () => {
    while (!response.destroyed && response.write(chunk));
  };
  response.on('drain', more);
  response.writeHead(200);
  more();
}

const beginningBytes = 1000;

/** A file's first bytes and then the end of the connection, though a gigabyte was promised. */
function writeBeginning(response: ServerResponse, range: string | undefined): void {
  const start = Number(/bytes=([0-9]+)-/.exec(range ?? '')?.[1] ?? 0);
  const total = 2 ** 30;
  response.writeHead(start > 0 ? 206 : 200, {
    'content-length': total - start,
    ...(start > 0 && { 'content-range': `bytes ${start}-${total - 1}/${total}` }),
  });
  const rest = Buffer.alloc(Math.max(0, beginningBytes - start));
  response.write(rest, () => setTimeout(() => response.destroy(), 100));
}

async function lieInTicket(bytes: Buffer, { lie, url }: { lie: Lie; url: string }): Promise<Buffer> {
  const ticket = parseTicket(bytes.toString());
  const { image } = ticket;
  const announceUrl = `http://${upstream}/announce/${url.split('/')[3]?.split('?')[0]}`;
  switch (lie) {
    case 'none':
    case 'endless-ticket':
    case 'endless-file':
    case 'cut-file':
      return bytes;
    case 'torrent-outside':
      return told({ ...ticket, image: { ...image, torrent: withPathOutside(image.torrent ?? '') } });
    case 'catalog-byte':
      return told({ ...ticket, catalog: ticket.catalog.replace('"title": "', '"title": "X') });
    case 'foreign-key': {
      const catalog = ticket.catalog.replace('"title": "', '"title": "X');
      return told({ ...ticket, catalog, signature: signAgain(catalog, ticket.signature) });
    }
    case 'manifest-byte':
      return told({ ...ticket, image: { ...image, manifest: image.manifest.replace('"format": 1', '"format":  1') } });
    case 'file-and-torrent': {
      for (const part of ticket.parts) await seed(part, { announceUrl, isChanged: false });
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
  const torrent = parseMetainfo(decodeBase64(release.torrent ?? '') ?? new Uint8Array());
  const directory = join(folder, 'seed', torrent.name);
  mkdirSync(directory, { recursive: true });
  const contents: Buffer[] = [];
  for (const { name } of torrent.files) {
    const sha256 = manifest.files.find((file) => file.name === name)?.sha256;
    const blob = await fetch(`http://${upstream}/blob/${sha256}/${name}`);
    const bytes = Buffer.from(await blob.arrayBuffer());
    if (how.isChanged && contents.length === 0) {
      flipLastByte(bytes);
      changedDigest = sha256;
    }
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

/** Made by hand: our own encoder refuses to. */
function withPathOutside(torrent: string): string {
  const root = decodeBencode(decodeBase64(torrent) ?? new Uint8Array()) as BencodedDictionary;
  const info = root.get('info') as BencodedDictionary;
  const [first, ...others] = info.get('files') as readonly BencodedDictionary[];
  const path = ['..', '..', '..', 'torrents', 'evil'].map((segment) => Buffer.from(segment));
  const files = [new Map([...(first ?? []), ['path', path]]), ...others];
  return encodeBase64(encodeBencode(new Map([...root, ['info', new Map([...info, ['files', files]])]])));
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
