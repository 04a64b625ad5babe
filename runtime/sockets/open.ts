import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { Fault } from '#bundle/fault.ts';
import { checkBound } from './bound.ts';
import { inheritedSockets, type SocketName } from './inherit.ts';

const ports: Readonly<Record<SocketName, number>> = { dhcp: 67, pxe: 4011, tftp: 69 };

export interface BootSocketsOptions<Name extends SocketName> {
  /** `network.interface`. */
  readonly interface: string;
  /** Which are needed; with `dhcp.mode: off` only `tftp`. */
  readonly names: readonly Name[];
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly pid: number;
}

/**
 * Takes over the sockets that this process was started with, and opens those that it was not; proves that all hear
 * `interface` alone, on a machine that has others.
 * @throws Fault `INTERFACE_NOT_BOUND` | `SOCKETS_INVALID` | `PORT_NOT_OPENED`
 */
export async function openBootSockets<Name extends SocketName>(
  options: BootSocketsOptions<Name>,
): Promise<Readonly<Record<Name, Socket>>> {
  const { names, environment, pid } = options;
  const inherited = inheritedSockets(environment, pid);
  await checkBound(
    options.interface,
    names.map((name) => ({ name, descriptor: inherited[name] })),
  );
  const opened: [Name, Socket][] = [];
  try {
    for (const name of names) opened.push([name, await openSocket(name, inherited[name])]);
  } catch (error) {
    for (const [, socket] of opened) socket.close();
    throw error;
  }
  return Object.fromEntries(opened) as Record<Name, Socket>;
}

async function openSocket(name: SocketName, descriptor: number | undefined): Promise<Socket> {
  const socket = createSocket('udp4');
  const listening = once(socket, 'listening');
  socket.bind(descriptor === undefined ? { port: ports[name] } : { fd: descriptor });
  try {
    await listening;
    return socket;
  } catch (cause) {
    throw new Fault('PORT_NOT_OPENED', `Cannot listen on UDP port ${ports[name]} (${name})`, {
      hint: 'Run as root, and stop other DHCP and TFTP servers of this machine (dnsmasq, isc-dhcp-server, tftpd-hpa)',
      cause,
      retry: 'stalled',
    });
  }
}
