import { runCommand, tryCommand } from './run-command.ts';

/**
 * The lab's network: two namespaces with no way out. `lan` holds a bridge and the taps of the nodes; `server` holds the
 * runtime, at the other end of a veth. Everything has its names inside the namespaces, so labs do not collide.
 *
 *     server namespace                lan namespace
 *     [runtime] eth1 ───veth─── uplink ─┐
 *                                    br0 ┼─ tap1 ─ node1
 *                                        └─ tap2 ─ node2
 */
export interface LabNetwork {
  readonly lan: string;
  readonly server: string;
  readonly interface: string;
  readonly address: string;
  readonly range: readonly [string, string];
}

/** The server's link, both directions, in Mbit/s. Nodes' links are not limited. */
export interface LinkOptions {
  readonly serverMbit?: number;
}

/** @param id six hexadecimal digits that tell labs on one machine apart */
export function labNetwork(id: string): LabNetwork {
  return {
    lan: `bt-${id}-lan`,
    server: `bt-${id}-server`,
    interface: 'eth1',
    address: '10.77.0.1',
    range: ['10.77.0.100', '10.77.0.199'],
  };
}

/** Arguments that run a command inside a namespace, and end it when the process that started it dies. */
export function inside(namespace: string, argv: readonly string[]): readonly string[] {
  return ['setpriv', '--pdeathsig', 'KILL', 'ip', 'netns', 'exec', namespace, ...argv];
}

export async function createNetwork(network: LabNetwork, link: LinkOptions = {}): Promise<void> {
  for (const command of createCommands(network, link)) await runCommand(command);
}

/** Adds the tap of a node to the bridge. */
export async function createTap(network: LabNetwork, tap: string): Promise<void> {
  const ip = ['ip', '-n', network.lan];
  await runCommand([...ip, 'tuntap', 'add', tap, 'mode', 'tap']);
  await runCommand([...ip, 'link', 'set', tap, 'master', 'br0', 'up']);
}

/** Pulls or plugs the cable of a node, or of the server (`uplink`). */
export async function setLink(network: LabNetwork, port: string, state: 'up' | 'down'): Promise<void> {
  await runCommand(['ip', '-n', network.lan, 'link', 'set', port, state]);
}

/** Ends whatever still runs in the namespaces and removes them. Does nothing where they are not there. */
export async function removeNetwork(network: LabNetwork): Promise<void> {
  for (const namespace of [network.lan, network.server]) {
    const pids = await runCommand(['ip', 'netns', 'pids', namespace]).catch(() => '');
    for (const pid of pids.split('\n').filter((line) => line !== '')) kill(Number(pid));
    await tryCommand(['ip', 'netns', 'del', namespace]);
  }
}

/** Limits the server's link, both directions, from now on. */
export async function limitLink(network: LabNetwork, serverMbit: number): Promise<void> {
  const { lan, server } = network;
  const commands = [...shape(server, network.interface, serverMbit), ...shape(lan, 'uplink', serverMbit)];
  for (const command of commands) await runCommand(command);
}

/** Takes the limit off the server's link again. */
export async function openLink(network: LabNetwork): Promise<void> {
  await tryCommand(['tc', '-n', network.server, 'qdisc', 'del', 'dev', network.interface, 'root']);
  await tryCommand(['tc', '-n', network.lan, 'qdisc', 'del', 'dev', 'uplink', 'root']);
}

/** Bytes that the server's interface has sent since it was made. */
export async function serverSentBytes(network: LabNetwork): Promise<number> {
  const path = `/sys/class/net/${network.interface}/statistics/tx_bytes`;
  return Number(await runCommand(['ip', 'netns', 'exec', network.server, 'cat', path]));
}

function createCommands(network: LabNetwork, link: LinkOptions): readonly (readonly string[])[] {
  const { lan, server } = network;
  const inLan = ['ip', '-n', lan];
  const inServer = ['ip', '-n', server];
  return [
    ['ip', 'netns', 'add', lan],
    ['ip', 'netns', 'add', server],
    [...inLan, 'link', 'set', 'lo', 'up'],
    [...inServer, 'link', 'set', 'lo', 'up'],
    [...inLan, 'link', 'add', 'br0', 'type', 'bridge', 'stp_state', '0', 'forward_delay', '0'],
    [...inLan, 'link', 'set', 'br0', 'up'],
    [...inLan, 'link', 'add', 'uplink', 'type', 'veth', 'peer', 'name', network.interface, 'netns', server],
    [...inLan, 'link', 'set', 'uplink', 'master', 'br0', 'up'],
    [...inServer, 'addr', 'add', `${network.address}/24`, 'dev', network.interface],
    [...inServer, 'link', 'set', network.interface, 'up'],
    ...shape(server, network.interface, link.serverMbit),
    ...shape(lan, 'uplink', link.serverMbit),
  ];
}

/** An interface's egress is one direction of a link; a queue of 65 kB beside 10 ms of the rate keeps TCP going. */
function shape(namespace: string, device: string, mbit: number | undefined): readonly (readonly string[])[] {
  if (mbit === undefined) return [];
  const limitBytes = Math.round((mbit * 1e6 * 0.01) / 8) + 65_000;
  const rate = ['rate', `${mbit}mbit`, 'burst', '65kb', 'limit', String(limitBytes)];
  return [['tc', '-n', namespace, 'qdisc', 'add', 'dev', device, 'root', 'tbf', ...rate]];
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It ended by itself in between.
  }
}
