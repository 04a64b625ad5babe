import type { RemoteInfo, Socket } from 'node:dgram';
import { Fault } from '#bundle/fault.ts';
import type { Emit } from '../boot/event.ts';
import type { Component } from '../component.ts';
import type { Log } from '../log.ts';
import { type Backlog, openBacklog } from './backlog.ts';
import { activeLeases, applyLease, type Lease, type LeaseTable } from './lease.ts';
import { openLeaseFile } from './lease-file.ts';
import { note } from './note.ts';
import { decodePacket, encodePacket } from './packet.ts';
import { type Decision, type Received, reply } from './reply.ts';
import type { DhcpView } from './view.ts';

export interface DhcpServerOptions {
  /** Bound sockets for ports 67 and 4011; the server closes them at its end. */
  readonly sockets: { readonly dhcp: Socket; readonly pxe: Socket };
  /** Asked for each packet, so that a commit takes effect with the next one. */
  readonly view: () => DhcpView;
  /** Where the leases are kept, one JSON record a line. */
  readonly leasesPath: string;
  readonly emit: Emit;
  readonly log: Log;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/** DHCP, proxyDHCP and the PXE boot server, as the view says. */
export interface DhcpServer extends Component {
  /** Addresses in use, in numerical order. */
  leases(): readonly Lease[];
  /** Packets ignored since the start, by reason. */
  ignored(): Readonly<Record<string, number>>;
}

interface State {
  readonly options: DhcpServerOptions;
  readonly leases: LeaseTable;
  readonly backlog: Backlog;
  readonly ignored: Record<string, number>;
}

/**
 * Opens the lease file and gives the server, which answers from `run` on.
 * Invariant: an ACK leaves only after its lease is on disk (RFC 2131 §3.1).
 * @throws Fault `LEASES_INVALID` | `LEASES_NOT_WRITTEN`
 */
export async function openDhcpServer(options: DhcpServerOptions): Promise<DhcpServer> {
  const file = await openLeaseFile(options.leasesPath);
  const backlog = openBacklog(
    (changes) => file.append(changes),
    (error) => options.log.error({ part: 'dhcp', err: error }, 'leases not written, answers dropped'),
  );
  const state: State = { options, leases: file.leases, backlog, ignored: {} };
  return {
    name: 'dhcp',
    run: (signal) => run(state, signal).finally(() => file.close()),
    leases: () => activeLeases(state.leases, options.now()),
    ignored: () => state.ignored,
  };
}

const listeners = ['dhcp', 'pxe'] as const;

async function run(state: State, signal: AbortSignal): Promise<void> {
  const { sockets } = state.options;
  const ended = Promise.withResolvers<void>();
  signal.addEventListener('abort', () => ended.resolve(), { once: true });
  if (signal.aborted) ended.resolve();
  try {
    for (const listener of listeners) {
      const socket = sockets[listener];
      socket.setBroadcast(true);
      socket.on('error', ended.reject);
      socket.on('message', (bytes, from) => {
        try {
          receive(state, listener, bytes, from);
        } catch (error) {
          ended.reject(error);
        }
      });
    }
    await ended.promise;
  } finally {
    for (const listener of listeners) sockets[listener].removeAllListeners('message');
    await state.backlog.drained();
    for (const listener of listeners) sockets[listener].close();
  }
}

function receive(state: State, listener: Received['listener'], bytes: Uint8Array, from: RemoteInfo): void {
  const { options, leases } = state;
  try {
    const packet = decodePacket(bytes);
    const decision = reply({ packet, listener, from }, options.view(), leases, options.now());
    note(options, listener, decision);
    act(state, listener, decision);
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    count(state, error.code);
    options.log.info({ part: 'dhcp', from: from.address, fault: error.code, reason: error.message }, 'dhcp ignored');
  }
}

function act(state: State, listener: Received['listener'], decision: Decision): void {
  const { change } = decision;
  if (change) applyLease(state.leases, change);
  if (decision.kind === 'ignore') {
    count(state, decision.reason);
    if (change) state.backlog.add(change);
    return;
  }
  const deliver = () => send(state.options, listener, decision);
  // An offer promises nothing, and waits for nothing.
  if (!change || decision.answer.kind === 'offer') deliver();
  else if (!state.backlog.add(change, deliver)) count(state, 'too busy');
}

type Reply = Extract<Decision, { kind: 'reply' }>;

function send({ log, sockets }: DhcpServerOptions, listener: Received['listener'], { packet, to }: Reply): void {
  sockets[listener].send(encodePacket(packet), to.port, to.address, (error) => {
    if (error) log.warn({ part: 'dhcp', to: to.address, reason: error.message }, 'dhcp answer not sent');
  });
}

function count({ ignored }: State, reason: string): void {
  ignored[reason] = (ignored[reason] ?? 0) + 1;
}
