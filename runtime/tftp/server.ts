import type { RemoteInfo, Socket } from 'node:dgram';
import { Fault } from '#bundle/fault.ts';
import type { Emit } from '../boot/event.ts';
import type { Component } from '../component.ts';
import type { Log } from '../log.ts';
import { openContent, type TftpFile, toNetascii } from './content.ts';
import { negotiate } from './negotiate.ts';
import { decodeRequest, encodeError, errorCode, type TftpRequest } from './packet.ts';
import { runSession } from './session.ts';

export interface TftpServerOptions {
  /** The bound socket for port 69; the server closes it at its end. */
  readonly socket: Socket;
  /** The server's address on the interface: transfers are sent from it. */
  readonly address: string;
  /** What a name stands for, for the node at an address. The only names there are: no path is ever looked up. */
  readonly fileOf: (name: string, address: string) => TftpFile | undefined;
  readonly emit: Emit;
  readonly log: Log;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

type ReadRequest = Extract<TftpRequest, { kind: 'read' }>;

interface State {
  readonly options: TftpServerOptions;
  /** Transfers under way, by `address:port`: a request that comes twice starts one transfer. */
  readonly running: Map<string, Promise<void>>;
  readonly runningByAddress: Map<string, number>;
  readonly signal: AbortSignal;
}

/** One node needs one transfer at a time; behind one address may be a relay's worth of them. */
const limitPerAddress = 32;
const limit = 2000;
/** Larger files in `netascii` are refused: no boot program is text. */
const netasciiLimitBytes = 1024 * 1024;

/** A read-only TFTP server (RFC 1350, 2347, 2348, 2349, 7440): there is no code that writes. */
export function tftpServer(options: TftpServerOptions): Component {
  return { name: 'tftp', run: (signal) => run(options, signal) };
}

async function run(options: TftpServerOptions, signal: AbortSignal): Promise<void> {
  const { socket } = options;
  const stop = new AbortController();
  const state: State = { options, running: new Map(), runningByAddress: new Map(), signal: stop.signal };
  const ended = Promise.withResolvers<void>();
  signal.addEventListener('abort', () => ended.resolve(), { once: true });
  if (signal.aborted) ended.resolve();
  try {
    socket.on('error', ended.reject);
    socket.on('message', (bytes, from) => {
      receive(state, bytes, from).catch(ended.reject);
    });
    await ended.promise;
  } finally {
    socket.removeAllListeners('message');
    stop.abort();
    await Promise.all(state.running.values());
    socket.close();
  }
}

async function receive(state: State, bytes: Uint8Array, from: RemoteInfo): Promise<void> {
  const request = readRequest(state, bytes, from);
  if (request?.kind === 'write')
    return refuse(state, from, { code: errorCode.accessViolation, reason: 'Read-only server' });
  if (request?.kind !== 'read') return;
  const key = `${from.address}:${from.port}`;
  if (state.running.has(key)) return;
  const count = state.runningByAddress.get(from.address) ?? 0;
  if (count >= limitPerAddress || state.running.size >= limit) {
    // No answer: the node asks again, and by then others are through.
    state.options.log.warn({ part: 'tftp', address: from.address, file: request.name }, 'tftp too many transfers');
    return;
  }
  state.runningByAddress.set(from.address, count + 1);
  const transfer = serve(state, request, from).finally(() => {
    state.running.delete(key);
    const left = (state.runningByAddress.get(from.address) ?? 1) - 1;
    if (left > 0) state.runningByAddress.set(from.address, left);
    else state.runningByAddress.delete(from.address);
  });
  state.running.set(key, transfer);
  await transfer;
}

function readRequest({ options }: State, bytes: Uint8Array, from: RemoteInfo): TftpRequest | undefined {
  try {
    return decodeRequest(bytes);
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    options.log.debug({ part: 'tftp', address: from.address, reason: error.message }, 'tftp ignored');
    return undefined;
  }
}

async function serve(state: State, request: ReadRequest, from: RemoteInfo): Promise<void> {
  const { options } = state;
  if (request.mode !== 'octet' && request.mode !== 'netascii') {
    return refuse(state, from, {
      code: errorCode.illegalOperation,
      reason: 'Mode is not octet or netascii',
      file: request.name,
    });
  }
  const file = options.fileOf(request.name, from.address);
  if (!file) return refuse(state, from, { code: errorCode.notFound, reason: 'File not found', file: request.name });
  try {
    await transmit(state, request, file, from);
  } catch (error) {
    options.log.error({ part: 'tftp', address: from.address, file: request.name, err: error }, 'tftp failed');
    tell(options, from, { file: request.name, result: 'failed', sentBytes: 0 });
    send(options, from, encodeError(errorCode.undefined, 'Internal error'));
  }
}

async function transmit(state: State, request: ReadRequest, file: TftpFile, from: RemoteInfo): Promise<void> {
  const { options, signal } = state;
  const content = await openContent(request.mode === 'octet' ? file : await asText(file));
  try {
    const terms = negotiate(request.options, content.sizeBytes);
    const { address, now } = options;
    const { result, sentBytes } = await runSession({ content, terms, peer: from, address, signal, now });
    const agreed = Object.fromEntries(terms.accepted);
    options.log.info(
      { part: 'tftp', address: from.address, file: request.name, sentBytes, ...agreed },
      `tftp ${result}`,
    );
    tell(options, from, { file: request.name, result, sentBytes });
  } finally {
    await content.close();
  }
}

async function asText(file: TftpFile): Promise<TftpFile> {
  const content = await openContent(file);
  try {
    if (content.sizeBytes > netasciiLimitBytes) {
      throw new Fault('TFTP_FILE_TOO_LARGE', 'Cannot send the file as netascii: it is too large');
    }
    return { bytes: toNetascii(await content.read(0, content.sizeBytes)) };
  } finally {
    await content.close();
  }
}

function refuse(state: State, to: RemoteInfo, why: { code: number; reason: string; file?: string }): void {
  const { options } = state;
  const file = (why.file ?? '').slice(0, 200);
  options.log.info({ part: 'tftp', address: to.address, file, reason: why.reason }, 'tftp refused');
  tell(options, to, { file, result: 'refused', sentBytes: 0 });
  send(options, to, encodeError(why.code, why.reason));
}

function tell(
  { emit, now }: TftpServerOptions,
  { address }: RemoteInfo,
  what: { file: string; result: 'done' | 'refused' | 'failed'; sentBytes: number },
): void {
  emit({ kind: 'tftp', atMs: now(), address, ...what });
}

function send({ socket }: TftpServerOptions, to: RemoteInfo, bytes: Uint8Array): void {
  socket.send(bytes, to.port, to.address, () => {});
}
