import { createHash } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { get } from 'node:http';
import { parseTicket } from '#bundle/boot-ticket.ts';
import { parseCatalog } from '#bundle/catalog.ts';
import { parseMetainfo } from '#bundle/metainfo.ts';
import { parsePublicKey, verifySignature } from '#bundle/signature.ts';
import { nodeVerifier } from '#store/ed25519.ts';
import { parseIpv4 } from '../dhcp/address.ts';
import { findOption, optionCode } from '../dhcp/options.ts';
import { broadcastFlag, decodePacket, encodePacket, textOf } from '../dhcp/packet.ts';

/** One published version, by everything of it that an answer can show. */
export interface Version {
  readonly bootstrap: string;
  readonly kernel: string;
  readonly initrd: string;
  readonly nbp: string;
  readonly image: string;
  readonly infoHash: string;
}

/** What the storm is told by its file, and what it says at its end. */
export interface StormPlan {
  readonly server: string;
  readonly publicKey: string;
  readonly addresses: readonly string[];
  readonly versions: readonly Version[];
}
export const protocols = ['script', 'ticket', 'tftp', 'dhcp', 'tracker'] as const;
export interface StormResult {
  readonly requests: Readonly<Record<string, number>>;
  readonly violations: readonly string[];
  /** When each version was answered first, by protocol; milliseconds since 1970. */
  readonly firstMs: Readonly<Record<string, readonly (number | null)[]>>;
}

const plan = JSON.parse(await readFile(process.argv[2] ?? '', 'utf8')) as StormPlan;
const { server, versions, addresses } = plan;
const keys = [parsePublicKey(plan.publicKey)];
const violations: string[] = [];
const requests: Record<string, number> = {};
const firstMs: Record<string, (number | null)[]> = {};
let isOver = false;
process.stdin.on('end', () => (isOver = true)).resume();

const sha256 = (bytes: Uint8Array | string) => createHash('sha256').update(bytes).digest('hex');
const count = (kind: string) => (requests[kind] = (requests[kind] ?? 0) + 1);
const blame = (what: string) => violations.length < 50 && violations.push(what);

function saw(protocol: (typeof protocols)[number], version: number, atMs = Date.now()): void {
  firstMs[protocol] ??= versions.map(() => null);
  firstMs[protocol]![version] ??= atMs;
}

/** The one version that holds for all of what an answer names; blames an answer that names several. */
function versionOf(what: string, named: Partial<Version>): number {
  const index = versions.findIndex((one) =>
    Object.entries(named).every(([key, value]) => one[key as keyof Version] === value),
  );
  if (index < 0) blame(`${what} is of no version, or a mixture: ${JSON.stringify(named)}`);
  return index;
}

function fetchFrom(localAddress: string, path: string): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const asking = get({ host: server, port: 8480, path, localAddress, agent: false, timeout: 5000 }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk) => chunks.push(chunk));
      response.on('end', () => {
        const body = Buffer.concat(chunks);
        if (response.statusCode === 200) resolve(body);
        else reject(new Error(`${path} was answered ${response.statusCode}: ${body.toString().slice(0, 100)}`));
      });
      response.on('error', reject);
    });
    asking.on('error', reject).on('timeout', () => asking.destroy(new Error(`${path}: no answer`)));
  });
}

/** So many nodes boot at a time, each from an address of its own: one address may ask 20 times a second. */
const atOnce = 6;

/** A node after the other: script, kernel, ticket, tracker; versions never go back. */
async function nodes(first: number): Promise<void> {
  let newest = -1;
  const check = (what: string, version: number) => {
    if (version >= 0 && version < newest) blame(`${what} went back from version ${newest} to ${version}`);
    newest = Math.max(newest, version);
  };
  for (let turn = first; !isOver; turn += atOnce) {
    const address = addresses[turn % addresses.length] ?? '';
    const mac = `52:54:00:77:00:${(turn % addresses.length).toString(16).padStart(2, '0')}`;
    const script = (await fetchFrom(address, `/boot/${mac.replaceAll(':', '-')}/bios.ipxe`)).toString();
    count('script');
    const found = (pattern: RegExp) => pattern.exec(script)?.[1] ?? '';
    const [kernel, initrd] = [found(/blob\/([0-9a-f]{64})\/vmlinuz/), found(/blob\/([0-9a-f]{64})\/initramfs/)];
    const version = versionOf('a script', { bootstrap: found(/bt\.bootstrap=([0-9a-f]{64})/), kernel, initrd });
    check('a script', version);
    saw('script', version);
    const blob = await fetchFrom(address, `/blob/${kernel}/vmlinuz`);
    count('blob');
    if (sha256(blob) !== kernel) blame('a blob has other bytes than its name');
    const session = found(/bt\.session=([0-9a-f]{32})/);
    const ticket = parseTicket((await fetchFrom(address, `/v1/ticket/${session}?mac=${mac}&arch=amd64`)).toString());
    count('ticket');
    const ticketVersion = checkTicket(ticket);
    check('a ticket', ticketVersion);
    saw('ticket', ticketVersion);
    const infoHash = versions[ticketVersion]?.infoHash ?? '';
    const hash = infoHash.replace(/../g, '%$&');
    const query = `info_hash=${hash}&peer_id=-aria2-000000000000&port=6881&uploaded=0&downloaded=0&left=10&compact=1`;
    const reply = (await fetchFrom(address, `/announce/${session}?${query}`)).toString('latin1');
    count('announce');
    if (reply.includes('failure')) blame(`the tracker does not know what a ticket names: ${reply}`);
    else saw('tracker', ticketVersion);
  }
}

function checkTicket(ticket: ReturnType<typeof parseTicket>): number {
  verifySignature(Buffer.from(ticket.catalog), ticket.signature, { keys, verifier: nodeVerifier });
  const { bootstraps, images } = parseCatalog(ticket.catalog);
  const [bootstrap, image] = [bootstraps[0]!, images[0]!];
  if (sha256(ticket.image.manifest) !== image.manifest.digest) blame('a manifest is not the one of its catalog');
  const { infoBytes } = parseMetainfo(Buffer.from(ticket.image.torrent ?? '', 'base64'));
  const infoHash = createHash('sha1').update(infoBytes).digest('hex');
  if (infoHash !== image.torrent?.infoHash) blame('a torrent is not the one of its catalog');
  const named = { bootstrap: bootstrap.manifest.digest, image: image.manifest.digest };
  return versionOf('a ticket', { ...named, infoHash });
}

/** A transfer by RFC 1350, in blocks of 512 bytes. */
async function tftp(): Promise<void> {
  while (!isOver) {
    const socket = createSocket('udp4');
    const chunks: Buffer[] = [];
    let answeredMs = 0;
    socket.bind();
    await once(socket, 'listening');
    const request = Buffer.from('\0\x01snponly.efi\0octet\0');
    const timer = setTimeout(() => socket.emit('failed', 'no answer by TFTP within 5 s'), 5000);
    const done = new Promise<string | undefined>((resolve) => {
      socket.on('failed', resolve);
      socket.on('message', (bytes, from) => {
        if (bytes.readUInt16BE(0) !== 3) return resolve(`TFTP said ${bytes.toString('latin1')}`);
        const block = bytes.readUInt16BE(2);
        answeredMs ||= Date.now();
        if (block === chunks.length + 1) chunks.push(bytes.subarray(4));
        socket.send(Buffer.from([0, 4, block >> 8, block & 255]), from.port, from.address);
        if (bytes.length < 516) resolve(undefined);
      });
    });
    socket.send(request, 69, server);
    const failure = await done;
    clearTimeout(timer);
    socket.close();
    count('tftp');
    if (failure) blame(failure);
    else saw('tftp', versionOf('a file by TFTP', { nbp: sha256(Buffer.concat(chunks)) }), answeredMs);
  }
}

/** The DISCOVER of a UEFI firmware that boots by HTTP: the answer names the boot program by its digest. */
async function dhcp(): Promise<void> {
  const socket = createSocket('udp4');
  socket.bind(68);
  await once(socket, 'listening');
  socket.setBroadcast(true);
  const none = parseIpv4('0.0.0.0');
  for (let xid = 1; !isOver; xid++) {
    const packet = encodePacket({
      ...{ op: 1, htype: 1, hops: 0, xid, secs: 0, flags: broadcastFlag, sname: '', file: '' },
      ...{ ciaddr: none, yiaddr: none, siaddr: none, giaddr: none, chaddr: Uint8Array.of(0x52, 0x54, 0, 0x78, 0, 1) },
      options: [
        { code: optionCode.messageType, value: Uint8Array.of(1) },
        { code: optionCode.vendorClass, value: Buffer.from('HTTPClient:Arch:00016:UNDI:003001') },
        { code: 93, value: Uint8Array.of(0, 16) },
      ],
    });
    const answered = once(socket, 'message', { signal: AbortSignal.timeout(5000) }).catch(() => undefined);
    socket.send(packet, 67, server.replace(/\d+$/, '255'));
    const answer = await answered;
    count('dhcp');
    const { file = '', options = [] } = answer ? decodePacket(answer[0]) : {};
    const name = file || textOf(findOption(options, 67) ?? new Uint8Array());
    const [, nbp = name] = /blob\/([0-9a-f]{64})\//.exec(name) ?? [];
    saw('dhcp', versionOf('an offer', { nbp }));
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  socket.close();
}

const guarded = (work: Promise<void>) => work.catch((error: unknown) => void blame(String(error)));
await Promise.all([...Array.from({ length: atOnce }, (_, index) => guarded(nodes(index))), guarded(tftp()), guarded(dhcp())]);
process.stdout.write(JSON.stringify({ requests, violations, firstMs } satisfies StormResult));
