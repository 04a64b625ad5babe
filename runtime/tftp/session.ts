import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { Fault } from '#bundle/fault.ts';
import type { Content } from './content.ts';
import type { Terms } from './negotiate.ts';
import { decodeRequest, encodeData, encodeError, encodeOack, errorCode } from './packet.ts';
import { blockRange, openTransfer, type Send, step, type Transfer, type TransferEvent } from './transfer.ts';

export interface SessionOptions {
  readonly content: Content;
  readonly terms: Terms;
  readonly peer: { readonly address: string; readonly port: number };
  /** The server's own address. */
  readonly address: string;
  readonly signal: AbortSignal;
  /** Milliseconds on any clock that does not go back. */
  readonly now: () => number;
}

export interface SessionResult {
  readonly result: 'done' | 'failed';
  readonly sentBytes: number;
}

/** Sends one file from a port of its own (RFC 1350 §4). Does not throw for what the node does. */
export async function runSession(options: SessionOptions): Promise<SessionResult> {
  const { content, peer, signal, now } = options;
  const socket = createSocket('udp4');
  let transfer = openTransfer(options.terms, content.sizeBytes);
  let sentBytes = 0;
  let timer: NodeJS.Timeout | undefined;
  let work: Promise<void> = Promise.resolve();
  const ended = Promise.withResolvers<void>();

  // Events are handled one after the other: reading the file takes time, and steps must not overlap.
  function handle(event: TransferEvent): void {
    work = work.then(() => take(event)).catch(ended.reject);
  }

  async function take(event: TransferEvent): Promise<void> {
    const next = step(transfer, event, now());
    transfer = next.transfer;
    if (next.send) sentBytes += await sendPart(socket, options, transfer, next.send);
    if (next.deadlineMs !== undefined) {
      clearTimeout(timer);
      timer = setTimeout(handle, Math.max(0, next.deadlineMs - now()), { kind: 'timeout' });
    }
    if (transfer.state === 'done' || transfer.state === 'failed') ended.resolve();
  }

  const onAbort = () => ended.resolve();
  signal.addEventListener('abort', onAbort);
  try {
    socket.on('error', ended.reject);
    socket.on('message', (bytes, from) => {
      const event = isPeer(peer, from) ? readEvent(bytes) : refuseStranger(socket, from);
      if (event) handle(event);
    });
    socket.bind(0, options.address);
    await once(socket, 'listening', { signal });
    if (signal.aborted) ended.resolve();
    handle({ kind: 'start' });
    await ended.promise;
    return { result: transfer.state === 'done' ? 'done' : 'failed', sentBytes };
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', onAbort);
    await work;
    clearTimeout(timer);
    socket.close();
  }
}

/** Sends a part; gives its payload bytes. One read for a whole window. */
async function sendPart(socket: Socket, options: SessionOptions, transfer: Transfer, send: Send): Promise<number> {
  const { content, peer, terms } = options;
  if (send.kind === 'options') {
    await sendBytes(socket, encodeOack(terms.accepted), peer);
    return 0;
  }
  const { offset } = blockRange(transfer, send.first);
  const end = blockRange(transfer, send.last);
  const window = await content.read(offset, end.offset + end.length - offset);
  const packets: Promise<void>[] = [];
  for (let block = send.first; block <= send.last; block += 1) {
    const at = (block - send.first) * terms.blockBytes;
    packets.push(sendBytes(socket, encodeData(block & 0xffff, window.subarray(at, at + terms.blockBytes)), peer));
  }
  await Promise.all(packets);
  return window.length;
}

/** A packet that cannot be sent now is as one that got lost: the timer sends it again. */
function sendBytes(socket: Socket, bytes: Uint8Array, to: { address: string; port: number }): Promise<void> {
  return new Promise((resolve) => {
    socket.send(bytes, to.port, to.address, () => resolve());
  });
}

function isPeer(peer: { address: string; port: number }, from: RemoteInfo): boolean {
  return peer.address === from.address && peer.port === from.port;
}

/** Someone else's packet is answered, and leaves the transfer undisturbed (RFC 1350 §4). */
function refuseStranger(socket: Socket, from: RemoteInfo): undefined {
  void sendBytes(socket, encodeError(errorCode.unknownTransfer, 'Unknown transfer ID'), from);
  return undefined;
}

function readEvent(bytes: Uint8Array): TransferEvent | undefined {
  try {
    const request = decodeRequest(bytes);
    if (request.kind === 'ack') return { kind: 'ack', block: request.block };
    return request.kind === 'error' ? { kind: 'error' } : undefined;
  } catch (error) {
    if (error instanceof Fault) return undefined;
    throw error;
  }
}
