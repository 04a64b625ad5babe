import { createServer, type Server, type Socket } from 'node:net';
import type { InfoHash } from '#bundle/digest.ts';
import { Fault } from '#bundle/fault.ts';
import type { Emit } from '../boot/event.ts';
import type { Component } from '../component.ts';
import type { Log } from '../log.ts';
import { PeerConnection, type PeerSwarm } from './peer-connection.ts';
import type { SeedBundle } from './seed-bundle.ts';
import { openSeeding, type Seeding } from './seeding.ts';

export interface SeederOptions {
  /** An IPv4 address of the interface that nodes are on. */
  readonly host: string;
  /** Default 6881; 0: any that is free, told by `port` as soon as it listens. */
  readonly port?: number;
  readonly log: Log;
  readonly emit: Emit;
  /** Milliseconds since 1970. */
  readonly nowMs: () => number;
  /** From 0 to less than 1. */
  readonly random: () => number;
  /** Whether an address is that of a live boot session: what such a peer says it has is believed. Default: of none. */
  readonly isNode?: (address: string) => boolean;
  /** Pieces shown ahead to a peer; `Infinity` is plain seeding. Default 3. */
  readonly windowPieces?: number;
}

const tickMs = 500;
const keepAliveMs = 60_000;
const bufferBytes = 128 * 1024;
/** Connections in all, and from one address (a node has one per bundle, and those that its retries left half open). */
const connectionLimit = 4096;
const addressLimit = 16;

/**
 * The origin: seeds many bundles on one TCP port (BEP 3, BEP 6; no encryption, no other source of peers).
 * It only ever waits for connections, so its address must reach the nodes: by the tracker, and in the boot ticket.
 */
export class Seeder implements Component {
  readonly name = 'seeder';
  readonly #options: SeederOptions;
  readonly #seedings = new Map<InfoHash, Seeding>();
  readonly #connections = new Map<PeerConnection, string>();
  readonly #peerId: Uint8Array;
  #port: number;

  constructor(options: SeederOptions) {
    this.#options = options;
    this.#port = options.port ?? 6881;
    this.#peerId = createPeerId(options.random);
  }

  /** The port it listens on. */
  get port(): number {
    return this.#port;
  }

  /**
   * Starts to seed a bundle; does nothing when it is seeded already. Its files were verified before.
   * @throws Fault `SEED_FILE_CHANGED` where a file is missing or has another size
   */
  async seed(bundle: SeedBundle): Promise<void> {
    if (this.#seedings.has(bundle.infoHash)) return;
    const { nowMs, random, isNode = () => false, windowPieces } = this.#options;
    const limits = windowPieces !== undefined && { windowPieces };
    const seeding = await openSeeding({ bundle, nowMs, random, isTrusted: isNode, ...limits });
    if (this.#seedings.has(bundle.infoHash)) return seeding.close();
    this.#seedings.set(bundle.infoHash, seeding);
    this.#options.log.info({ bundle: bundle.name, infoHash: bundle.infoHash, pieces: bundle.pieceCount }, 'seed');
  }

  /** Ends the connections of its peers and closes its files. */
  async unseed(infoHash: InfoHash): Promise<void> {
    const seeding = this.#seedings.get(infoHash);
    if (!seeding) return;
    this.#seedings.delete(infoHash);
    this.#tellSentBytes(infoHash, seeding);
    await seeding.close();
    this.#options.log.info({ bundle: seeding.bundle.name, infoHash }, 'unseed');
  }

  seeding(): readonly InfoHash[] {
    return [...this.#seedings.keys()];
  }

  /** Peers that are connected to a bundle now. */
  peerCount(infoHash: InfoHash): number {
    return this.#seedings.get(infoHash)?.peerCount() ?? 0;
  }

  /** @throws Fault `SEEDER_NOT_LISTENING` */
  async run(signal: AbortSignal): Promise<void> {
    const server = createServer({ highWaterMark: bufferBytes }, (socket) => this.#accept(socket));
    await this.#listen(server);
    const timers = [setInterval(() => this.#tick(), tickMs), setInterval(() => this.#keepAlive(), keepAliveMs)];
    try {
      await untilAborted(server, signal);
    } finally {
      for (const timer of timers) clearInterval(timer);
      for (const connection of [...this.#connections.keys()]) connection.close();
      await Promise.all(this.seeding().map((infoHash) => this.unseed(infoHash)));
      await new Promise<void>((resolve) => server.close(() => resolve()));
    }
  }

  #listen(server: Server): Promise<void> {
    const { host, log } = this.#options;
    return new Promise((resolve, reject) => {
      server.once('error', (cause) => {
        const hint = 'See which program listens there: ss -ltnp';
        reject(new Fault('SEEDER_NOT_LISTENING', `Cannot listen on ${host}:${this.#port}`, { cause, hint }));
      });
      server.listen({ host, port: this.#port, backlog: 1024 }, () => {
        const address = server.address();
        if (address !== null && typeof address === 'object') this.#port = address.port;
        log.info({ host, port: this.#port }, 'seeder listens');
        resolve();
      });
    });
  }

  #accept(socket: Socket): void {
    const address = socket.remoteAddress ?? '';
    const ofAddress = [...this.#connections.values()].filter((one) => one === address).length;
    if (address === '' || this.#connections.size >= connectionLimit || ofAddress >= addressLimit) {
      this.#options.log.warn({ address, reason: 'too many connections' }, 'peer refused');
      socket.destroy();
      return;
    }
    const find = (infoHash: InfoHash, peer: PeerConnection) => this.#find(infoHash, peer);
    const onEnd = (peer: PeerConnection, reason: unknown) => this.#forget(peer, reason);
    this.#connections.set(new PeerConnection({ socket, address, peerId: this.#peerId, find, onEnd }), address);
  }

  #find(infoHash: InfoHash, peer: PeerConnection): PeerSwarm | undefined {
    const seeding = this.#seedings.get(infoHash);
    seeding?.add(peer);
    return seeding?.swarm;
  }

  #forget(peer: PeerConnection, reason: unknown): void {
    if (!this.#connections.delete(peer) || reason === undefined) return;
    const { log } = this.#options;
    if (!(reason instanceof Fault)) log.error({ address: peer.address, err: reason }, 'peer closed');
    else if (reason.code === 'WIRE_INVALID') log.info({ address: peer.address, reason: reason.message }, 'peer closed');
    else log.error({ address: peer.address, code: reason.code, reason: reason.message }, 'peer closed');
  }

  #tick(): void {
    for (const [infoHash, seeding] of this.#seedings) {
      seeding.tick();
      this.#tellSentBytes(infoHash, seeding);
    }
  }

  #tellSentBytes(infoHash: InfoHash, seeding: Seeding): void {
    const { emit, nowMs } = this.#options;
    for (const [address, sentBytes] of seeding.takeSentBytes()) {
      emit({ kind: 'origin', atMs: nowMs(), address, infoHash, sentBytes });
    }
  }

  #keepAlive(): void {
    for (const connection of this.#connections.keys()) connection.keepAlive();
  }
}

function untilAborted(server: Server, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    server.on('error', reject);
    if (signal.aborted) resolve();
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

/** `-BT0100-` and twelve random digits: the form of BEP 20. */
function createPeerId(random: () => number): Uint8Array {
  const digits = Array.from({ length: 12 }, () => Math.floor(random() * 10)).join('');
  return Buffer.from(`-BT0100-${digits}`, 'latin1');
}
