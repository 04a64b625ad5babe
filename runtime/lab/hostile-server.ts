import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { join } from 'node:path';
import { decodeBase64, encodeBase64 } from '#bundle/base64.ts';
import { encodeBencode } from '#bundle/bencode.ts';
import { type BootTicket, parseTicket } from '#bundle/boot-ticket.ts';
import { filesOf, parseManifest } from '#bundle/manifest.ts';
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
const seedPort = 7001;
let seeder: ChildProcess | undefined;

const server = createServer((request, response) => {
  answer(request, response).catch((error) => {
    process.stderr.write(`${error}\n`);
    response.destroy();
  });
});
server.listen(Number(port), '0.0.0.0');
process.on('SIGTERM', () => {
  seeder?.kill('SIGKILL');
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
  const image = ticket.image;
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
    case 'file-and-torrent':
      return told({ ...ticket, image: { ...image, torrent: await seedChangedFile(ticket, url) } });
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

/** Changes one byte of the first file of the image, makes a torrent that fits, and seeds that. */
async function seedChangedFile(ticket: BootTicket, url: string): Promise<string> {
  const manifest = parseManifest(ticket.image.manifest);
  const torrent = parseMetainfo(decodeBase64(ticket.image.torrent) ?? new Uint8Array());
  const directory = join(folder, 'seed', torrent.name);
  mkdirSync(directory, { recursive: true });
  const contents: Buffer[] = [];
  for (const { name } of torrent.files) {
    const file = manifest.files.find((one) => one.name === name) ?? filesOf(manifest, 'rootfs')[0];
    const blob = await fetch(`http://${upstream}/blob/${file?.sha256}/${name}`);
    const bytes = Buffer.from(await blob.arrayBuffer());
    if (contents.length === 0) bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
    writeFileSync(join(directory, name), bytes);
    contents.push(bytes);
  }
  const pieces = pieceHashes(Buffer.concat(contents), torrent.pieceLengthBytes);
  const changed = encodeMetainfo({ ...torrent, pieces });
  const session = url.split('/')[3]?.split('?')[0] ?? '';
  const announced = withAnnounce(changed, `http://${upstream}/announce/${session}`);
  writeFileSync(join(folder, 'changed.torrent'), withAnnounce(changed, `http://127.0.0.1:${port}/announce/seed`));
  startSeeder();
  return encodeBase64(announced);
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

function startSeeder(): void {
  if (seeder) return;
  const seed = [
    `--dir=${join(folder, 'seed')}`,
    '--seed-ratio=0.0',
    `--listen-port=${seedPort}`,
    '--check-integrity=true',
  ];
  const quiet = ['--enable-dht=false', '--bt-enable-lpd=false', '--quiet=true', '--stop=600'];
  seeder = spawn('aria2c', [...seed, ...quiet, join(folder, 'changed.torrent')], { stdio: 'ignore' });
}

/** A tracker's reply (BEP 3, compact as in BEP 23) that knows one peer: the liar's own seeder. */
function announceReply(): Buffer {
  const [host = ''] = upstream.split(':');
  const peer = new Uint8Array([...host.split('.').map(Number), seedPort >> 8, seedPort & 255]);
  const reply = new Map<string, number | Uint8Array>([
    ['interval', 5],
    ['peers', peer],
  ]);
  return Buffer.from(encodeBencode(reply));
}
