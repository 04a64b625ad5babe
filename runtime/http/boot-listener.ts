import fastifyStatic from '@fastify/static';
import { type FastifyInstance, type FastifyReply, type FastifyRequest, fastify } from 'fastify';
import { type BootReport, formatReply, parseReport, type ReportReply, reportLimitBytes } from '#bundle/boot-report.ts';
import { type Digest, type Mac, parseDigest, parseMac, parseSessionId, type SessionId } from '#bundle/digest.ts';
import { Fault } from '#bundle/fault.ts';
import { type Arch, arches } from '#bundle/manifest.ts';
import { type Firmware, parseFirmware } from '../boot/firmware.ts';
import { closeWith, serverLimits } from './limits.ts';

/** What nodes can ask for. Every function but `blob` answers at once; a Fault becomes an error status with its message. */
export interface BootAnswers {
  script(request: { mac: Mac; firmware: Firmware; address: string }): string;
  ticket(request: { session: SessionId; mac: Mac; arch: Arch; image?: string; address: string }): string;
  announce(request: { session: SessionId; query: string; address: string }): Buffer;
  report(report: BootReport, address: string): ReportReply;
  /** Path of a blob below the folder of blobs; undefined: no served bundle names it. */
  blob(digest: Digest): Promise<string | undefined>;
  /** Bytes that went out for a blob since the last such call. */
  blobSent(sent: { name: string; address: string; sentBytes: number }): void;
}

export interface BootListenerOptions {
  readonly answers: BootAnswers;
  /** Told of what cannot be answered now, with the address that asked. */
  readonly onBusy?: (fault: Fault, address: string) => void;
  /** Told of each answer, with its route as the table has it. */
  readonly onAnswer?: (route: string, status: number) => void;
  /** Folder that holds every blob. */
  readonly blobsPath: string;
}

const sentEveryMs = 1000;
/** Requests of one address a second, on average and at once: a boot asks about 20 times, a report comes every 5 s. */
const rate = { perSecond: 20, burst: 200 } as const;

/**
 * The listener for nodes: a closed table of routes, all read-only but the report, which is small and changes nothing
 * but what is shown, and what the same node gets next.
 */
export function bootListener({ answers, blobsPath, onBusy, onAnswer }: BootListenerOptions): FastifyInstance {
  const app = fastify({ ...serverLimits, bodyLimit: reportLimitBytes, exposeHeadRoutes: false });
  app.register(fastifyStatic, { root: blobsPath, serve: false, etag: false, lastModified: false });
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'string' }, (_request, body, done) => done(null, body));
  app.setNotFoundHandler((_request, reply) => reply.code(404).type('text/plain').send('Not found\n'));
  app.setErrorHandler((error, request, reply) => {
    sendFault(error, request, reply);
    if (error instanceof Fault && reply.statusCode === 503) onBusy?.(error, addressOf(request));
  });
  limitRate(app);
  app.addHook('onResponse', async (request, reply) => {
    onAnswer?.(request.routeOptions.url ?? 'none', reply.statusCode);
  });
  app.get('/boot/:mac/:file', (request, reply) => sendScript(request, { reply, answers }));
  app.route({
    method: ['GET', 'HEAD'],
    url: '/blob/:digest/:name',
    handler: (request, reply) => sendBlob(request, { reply, answers }),
  });
  app.get('/v1/ticket/:session', (request, reply) => {
    const { mac, arch, image } = request.query as Parameters;
    const session = parseSessionId((request.params as Parameters).session);
    const chosen = typeof image === 'string' ? { image } : {};
    const wanted = { session, mac: parseMac(mac), arch: parseArch(arch), ...chosen, address: addressOf(request) };
    reply.type('application/json').header('cache-control', 'no-store').send(answers.ticket(wanted));
  });
  app.get('/announce/:session', (request, reply) => {
    const session = parseSessionId((request.params as Parameters).session);
    const query = request.raw.url?.split('?')[1] ?? '';
    reply.type('text/plain').send(answers.announce({ session, query, address: addressOf(request) }));
  });
  app.post('/v1/report', (request, reply) => {
    const answer = answers.report(parseReport(String(request.body ?? '')), addressOf(request));
    reply.type('application/json').header('cache-control', 'no-store').send(formatReply(answer));
  });
  return app;
}

type Parameters = Readonly<Record<string, string | undefined>>;

function sendScript(request: FastifyRequest, { reply, answers }: { reply: FastifyReply; answers: BootAnswers }): void {
  const { mac, file = '' } = request.params as Parameters;
  const firmware = parseFirmware(file.endsWith('.ipxe') ? file.slice(0, -'.ipxe'.length) : '');
  const text = answers.script({ mac: parseMac(mac), firmware, address: addressOf(request) });
  reply.type('text/plain').header('cache-control', 'no-store').send(text);
}

/**
 * A blob's address holds its digest, so its content never changes: it may be cached for ever, and `If-Range` with
 * the digest always holds.
 */
async function sendBlob(
  request: FastifyRequest,
  { reply, answers }: { reply: FastifyReply; answers: BootAnswers },
): Promise<FastifyReply> {
  const { digest: text, name = '' } = request.params as Parameters;
  const digest = parseDigest(text);
  const path = await answers.blob(digest);
  if (path === undefined || !/^[A-Za-z0-9][A-Za-z0-9._+-]{0,199}$/.test(name)) {
    return reply.code(404).type('text/plain').send('Not found\n');
  }
  const etag = `"${digest}"`;
  reply.header('etag', etag);
  if (request.headers['if-none-match']?.includes(etag)) return reply.code(304).send();
  if (request.headers['if-range'] === etag) delete request.raw.headers['if-range'];
  const tell = (sentBytes: number) => answers.blobSent({ name, address: addressOf(request), sentBytes });
  if (request.method === 'GET') countSentBytes(reply, tell);
  reply.type('application/octet-stream');
  return reply.sendFile(path, { contentType: false, immutable: true, maxAge: '365d' });
}

/** Once a second while a body goes out, and at its end: a large one must show long before that. */
function countSentBytes({ raw }: FastifyReply, tell: (sentBytes: number) => void): void {
  const { socket } = raw;
  let toldBytes = socket?.bytesWritten ?? 0;
  const count = () => {
    const sentBytes = (socket?.bytesWritten ?? 0) - toldBytes;
    if (sentBytes > 0) tell(sentBytes);
    toldBytes += sentBytes;
  };
  const timer = setInterval(count, sentEveryMs);
  raw.once('close', () => {
    clearInterval(timer);
    count();
  });
}

/** One bucket per address; addresses that were quiet for long are forgotten. */
function limitRate(app: FastifyInstance): void {
  const buckets = new Map<string, { tokens: number; atMs: number }>();
  app.addHook('onRequest', async (request, reply) => {
    const atMs = performance.now();
    const address = addressOf(request);
    const last = buckets.get(address) ?? { tokens: rate.burst, atMs };
    const tokens = Math.min(rate.burst, last.tokens + ((atMs - last.atMs) * rate.perSecond) / 1000);
    if (tokens < 1) return closeWith(reply.code(429).header('retry-after', '1'), 'Too many requests\n');
    buckets.delete(address);
    buckets.set(address, { tokens: tokens - 1, atMs });
    if (buckets.size > 4096) buckets.delete(buckets.keys().next().value ?? '');
  });
}

/** Faults that say that the request is wrong; all others mean that it cannot be answered now. */
const badRequest = new Set([
  'DIGEST_INVALID',
  'MAC_INVALID',
  'SESSION_INVALID',
  'FIRMWARE_INVALID',
  'REPORT_INVALID',
  'ARCH_UNKNOWN',
]);

function sendFault(error: unknown, request: FastifyRequest, reply: FastifyReply): void {
  const status = (error as { statusCode?: number }).statusCode;
  if (error instanceof Fault) {
    const code = badRequest.has(error.code) ? 400 : error.code === 'SESSION_UNKNOWN' ? 404 : 503;
    // All that busybox's wget shows of an error is this line.
    reply.raw.statusMessage = error.code;
    reply.code(code).type('text/plain').send(`${error.message} [${error.code}]\n`);
  } else if (status !== undefined && status < 500) {
    reply.code(status).type('text/plain').send('Bad request\n');
  } else {
    request.log.error(error);
    reply.code(500).type('text/plain').send('Internal error\n');
  }
}

function parseArch(text: string | undefined): Arch {
  const arch = arches.find((one) => one === text);
  if (!arch) throw new Fault('ARCH_UNKNOWN', `Cannot make a ticket: arch must be one of ${arches.join(', ')}`);
  return arch;
}

function addressOf(request: FastifyRequest): string {
  return (request.socket.remoteAddress ?? '').replace(/^::ffff:/, '');
}
