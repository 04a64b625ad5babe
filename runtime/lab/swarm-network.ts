import { runCommand, tryCommand } from './run-command.ts';

/**
 * A server and some nodes, each in a network namespace of its own, on one bridge without a way out. Every link may be
 * limited in both directions, so that the load of a swarm shows on one machine.
 */
export interface SwarmNetwork {
  readonly server: { readonly namespace: string; readonly address: string };
  /** The bridge's, where node `n` has the port `port<n + 1>`. */
  readonly lan: string;
  readonly nodes: readonly { readonly namespace: string; readonly address: string }[];
  readonly remove: () => Promise<void>;
}

export interface SwarmNetworkOptions {
  /** Up to six characters that tell networks on one machine apart. */
  readonly id: string;
  readonly nodes: number;
  /** Of every link, in both directions. Absent: not limited. */
  readonly mbit?: number;
  /** Of the server's link alone. */
  readonly serverMbit?: number;
}

/** @throws Fault `LAB_COMMAND_FAILED` */
export async function createSwarmNetwork({
  id,
  nodes,
  mbit,
  serverMbit = mbit,
}: SwarmNetworkOptions): Promise<SwarmNetwork> {
  const lan = `bts-${id}-lan`;
  const members = Array.from({ length: nodes + 1 }, (_, index) => ({
    namespace: `bts-${id}-${index}`,
    address: `10.78.0.${index + 1}`,
  }));
  const [server = { namespace: '', address: '' }, ...others] = members;
  const remove = async () => {
    for (const namespace of [...members.map((member) => member.namespace), lan]) {
      await tryCommand(['ip', 'netns', 'del', namespace]);
    }
  };
  try {
    await runCommand(['ip', 'netns', 'add', lan]);
    await runCommand(['ip', '-n', lan, 'link', 'add', 'br0', 'type', 'bridge', 'stp_state', '0', 'forward_delay', '0']);
    await runCommand(['ip', '-n', lan, 'link', 'set', 'br0', 'up']);
    for (const [index, member] of members.entries()) {
      await connect(lan, { ...member, index, mbit: member === server ? serverMbit : mbit });
    }
  } catch (error) {
    await remove();
    throw error;
  }
  return { server, lan, nodes: others, remove };
}

interface Member {
  readonly namespace: string;
  readonly address: string;
  readonly index: number;
  readonly mbit: number | undefined;
}

async function connect(lan: string, { namespace, address, index, mbit }: Member): Promise<void> {
  const port = `port${index}`;
  await runCommand(['ip', 'netns', 'add', namespace]);
  await runCommand(['ip', '-n', lan, 'link', 'add', port, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', namespace]);
  await runCommand(['ip', '-n', lan, 'link', 'set', port, 'master', 'br0', 'up']);
  await runCommand(['ip', '-n', namespace, 'addr', 'add', `${address}/24`, 'dev', 'eth0']);
  for (const device of ['lo', 'eth0']) await runCommand(['ip', '-n', namespace, 'link', 'set', device, 'up']);
  if (mbit === undefined) return;
  await limit(lan, port, mbit);
  await limit(namespace, 'eth0', mbit);
}

/** An end's egress is one direction of a link; 10 ms of its rate and 65 kB may wait. */
async function limit(namespace: string, device: string, mbit: number): Promise<void> {
  const limitBytes = Math.round((mbit * 1e6 * 0.01) / 8) + 65_000;
  const rate = ['rate', `${mbit}mbit`, 'burst', '65kb', 'limit', String(limitBytes)];
  await runCommand(['tc', '-n', namespace, 'qdisc', 'add', 'dev', device, 'root', 'tbf', ...rate]);
}
