import type { Socket } from 'node:net';
import type { InfoHash } from '#bundle/digest.ts';
import { Fault } from '#bundle/fault.ts';
import { createBufferPool } from './buffer-pool.ts';
import type { PieceReader } from './piece-reader.ts';
import {
  type Block,
  blockLimitBytes,
  createWireReader,
  encodeExtendedHandshake,
  encodeFullBitfield,
  encodeHandshake,
  encodeHaveAll,
  encodeHaveNone,
  encodeHaves,
  encodeKeepAlive,
  encodePieceHead,
  encodeReject,
  encodeUnchoke,
  piecesOf,
  requestLimit,
  type WireMessage,
} from './wire.ts';

/** What a connection asks of and tells the swarm that it belongs to. */
export interface PeerSwarm {
  readonly pieceCount: number;
  readonly reader: PieceReader;
  readonly isCopyOut: () => boolean;
  readonly onJoin: (peer: PeerConnection, pieces: readonly number[]) => void;
  readonly onHave: (peer: PeerConnection, piece: number) => void;
  /** The last byte of a piece was handed to the socket. */
  readonly onPieceSent: (peer: PeerConnection, piece: number) => void;
  readonly onBytesSent: (peer: PeerConnection, sizeBytes: number) => void;
  readonly onClose: (peer: PeerConnection) => void;
}

export interface PeerOptions {
  readonly socket: Socket;
  readonly address: string;
  /** 20 bytes. */
  readonly peerId: Uint8Array;
  /** Called once, with the handshake: the swarm, when it is one of ours. */
  readonly find: (infoHash: InfoHash, peer: PeerConnection) => PeerSwarm | undefined;
  /** Why the connection ended: a fault of the peer's or of ours, or undefined when the peer just left. */
  readonly onEnd: (peer: PeerConnection, reason: unknown) => void;
}

/** Until its handshake a connection may take that long; later it may be silent for longer than keep-alives (2 minutes). */
const handshakeTimeoutMs = 10_000;
const silenceTimeoutMs = 300_000;
/** A peer that has nothing may send nothing (BEP 3) when it does not speak BEP 6. */
const bitfieldTimeoutMs = 300;

/** Piece messages: a head of 13 bytes and a block. */
const messages = createBufferPool(13 + blockLimitBytes, 1024);
let lastId = 0;

/**
 * One peer on one socket: answers requests in their order, and never holds more than the socket's high-water mark
 * (128 KiB) plus one block for it.
 */
export class PeerConnection {
  readonly id = ++lastId;
  readonly address: string;
  readonly #options: PeerOptions;
  readonly #reader = createWireReader();
  readonly #requests: Block[] = [];
  /** Bytes sent of pieces that are not complete. */
  readonly #sentBytes = new Map<number, number>();
  #shown = new Uint8Array(0);
  #swarm: PeerSwarm | undefined;
  #hasFast = false;
  #hasJoined = false;
  #isSending = false;
  #isClosed = false;
  #wake: (() => void) | undefined;
  #joinTimer: NodeJS.Timeout | undefined;

  constructor(options: PeerOptions) {
    this.#options = options;
    this.address = options.address;
    const { socket } = options;
    socket.setNoDelay(true);
    socket.setTimeout(handshakeTimeoutMs, () =>
      this.close(new Fault('WIRE_INVALID', 'Cannot wait longer for the peer')),
    );
    socket.on('data', (chunk) => this.#receive(chunk));
    socket.on('error', () => {}); // What is broken closes itself: 'close' follows.
    socket.on('drain', () => this.#wake?.());
    socket.on('close', () => this.close());
  }

  /** Tells the peer of pieces that it was not told of yet. */
  show(pieces: 'all' | readonly number[]): void {
    const wanted = pieces === 'all' ? this.#shown.keys() : pieces;
    const fresh = [...wanted].filter((piece) => this.#shown[piece] === 0);
    for (const piece of fresh) this.#shown[piece] = 1;
    if (fresh.length > 0) this.#write(encodeHaves(fresh));
  }

  keepAlive(): void {
    if (this.#swarm) this.#write(encodeKeepAlive());
  }

  /** Ends the connection; a second call does nothing. */
  close(reason?: unknown): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearTimeout(this.#joinTimer);
    this.#requests.length = 0;
    this.#options.socket.destroy();
    this.#wake?.();
    this.#swarm?.onClose(this);
    this.#options.onEnd(this, reason);
  }

  /** Whatever bytes arrive, the worst is the end of this connection. */
  #receive(chunk: Uint8Array): void {
    try {
      for (const message of this.#reader.push(chunk)) {
        if (this.#isClosed) return;
        this.#handle(message);
      }
    } catch (error) {
      this.close(error);
    }
  }

  #handle(message: WireMessage): void {
    switch (message.kind) {
      case 'handshake':
        this.#greet(message);
        break;
      case 'bitfield':
        this.#noteHaves(piecesOf(message.bits, this.#shown.length));
        break;
      case 'have-all':
        this.#noteHaves([...this.#shown.keys()]);
        break;
      case 'have-none':
        this.#noteHaves([]);
        break;
      case 'have':
        this.#join([]);
        if (message.piece >= this.#shown.length) throw invalid('a piece beyond the last');
        this.#swarm?.onHave(this, message.piece);
        break;
      case 'request':
        this.#request(message);
        break;
      case 'cancel':
        this.#cancel(message);
        break;
      case 'other':
        break;
      default:
        message satisfies never;
    }
  }

  #greet({ infoHash, hasFast, hasExtended }: WireMessage & { kind: 'handshake' }): void {
    const swarm = this.#options.find(infoHash, this);
    if (!swarm) throw invalid('no such torrent here');
    this.#swarm = swarm;
    this.#hasFast = hasFast;
    this.#options.socket.setTimeout(silenceTimeoutMs);
    this.#write(encodeHandshake(infoHash, this.#options.peerId));
    this.#write(this.#firstMessage(swarm));
    if (hasExtended) this.#write(encodeExtendedHandshake());
    this.#write(encodeUnchoke());
    this.#joinTimer = setTimeout(() => this.#join([]), bitfieldTimeoutMs);
  }

  /** Plain seeding shows everything with the one message that only the first may be; a window hides everything. */
  #firstMessage(swarm: PeerSwarm): Uint8Array {
    const isOpen = swarm.isCopyOut();
    this.#shown = new Uint8Array(swarm.pieceCount).fill(isOpen ? 1 : 0);
    if (this.#hasFast) return isOpen ? encodeHaveAll() : encodeHaveNone();
    return isOpen ? encodeFullBitfield(swarm.pieceCount) : new Uint8Array(0);
  }

  /** A bitfield may come later than first, against BEP 3: aria2 1.36 sends one in place of many HAVEs. */
  #noteHaves(pieces: readonly number[]): void {
    if (!this.#hasJoined) this.#join(pieces);
    else for (const piece of pieces) this.#swarm?.onHave(this, piece);
  }

  #join(pieces: readonly number[]): void {
    if (this.#hasJoined) return;
    this.#hasJoined = true;
    clearTimeout(this.#joinTimer);
    this.#joinTimer = undefined;
    this.#swarm?.onJoin(this, pieces);
  }

  #request({ piece, offsetBytes, sizeBytes }: Block): void {
    this.#join([]);
    const pieceSizeBytes = this.#swarm?.reader.pieceSizeBytes(piece) ?? 0;
    if (piece >= this.#shown.length || sizeBytes === 0 || offsetBytes + sizeBytes > pieceSizeBytes) {
      throw invalid('a block outside of its piece');
    }
    if (sizeBytes > blockLimitBytes) throw invalid(`a block of ${sizeBytes} bytes`);
    if (this.#shown[piece] === 0) throw invalid('a piece that it was not shown');
    if (this.#requests.length >= requestLimit) throw invalid('too many requests');
    this.#requests.push({ piece, offsetBytes, sizeBytes });
    if (!this.#isSending) void this.#sendAll();
  }

  /** With BEP 6 each request is answered, a cancelled one by a reject. */
  #cancel(block: Block): void {
    const at = this.#requests.findIndex((one) => one.piece === block.piece && one.offsetBytes === block.offsetBytes);
    if (at < 0) return;
    const [cancelled] = this.#requests.splice(at, 1);
    if (cancelled && this.#hasFast) this.#write(encodeReject(cancelled));
  }

  async #sendAll(): Promise<void> {
    this.#isSending = true;
    try {
      for (let block = this.#requests.shift(); block && this.#swarm; block = this.#requests.shift()) {
        await this.#send(this.#swarm, block);
        if (this.#options.socket.writableNeedDrain) await this.#drained();
      }
    } catch (error) {
      this.close(error);
    } finally {
      this.#isSending = false;
    }
  }

  /** Until the socket has given all its bytes to the kernel, or the connection ends. */
  #drained(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
      if (this.#isClosed) resolve();
    });
  }

  async #send(swarm: PeerSwarm, block: Block): Promise<void> {
    const head = encodePieceHead(block);
    const buffer = messages.take();
    buffer.set(head);
    await swarm.reader.readInto(buffer, head.length, block);
    if (this.#isClosed) return messages.give(buffer);
    this.#write(buffer.subarray(0, head.length + block.sizeBytes), () => messages.give(buffer));
    swarm.onBytesSent(this, block.sizeBytes);
    const sentBytes = (this.#sentBytes.get(block.piece) ?? 0) + block.sizeBytes;
    const isWhole = sentBytes >= swarm.reader.pieceSizeBytes(block.piece);
    if (!isWhole) this.#sentBytes.set(block.piece, sentBytes);
    else {
      this.#sentBytes.delete(block.piece);
      swarm.onPieceSent(this, block.piece);
    }
  }

  /** Small messages of a peer that reads nothing pile up as well: then it is closed. */
  #write(bytes: Uint8Array, whenRead?: () => void): void {
    const { socket } = this.#options;
    if (this.#isClosed || bytes.length === 0) return;
    socket.write(bytes, whenRead);
    const limitBytes = 4 * socket.writableHighWaterMark + 9 * this.#shown.length;
    if (socket.writableLength > limitBytes) this.close(invalid('it reads nothing'));
  }
}

function invalid(reason: string): Fault {
  return new Fault('WIRE_INVALID', `Cannot go on with the peer: ${reason}`);
}
