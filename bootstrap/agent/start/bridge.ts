import { runOrFail } from '../command.ts';
import type { Host } from '../host.ts';
import { dhcpArguments, type Network } from '../network.ts';
import type { Paths } from '../paths.ts';

export const bridgeName = 'br0';

/**
 * Puts the node's NIC into a bridge, with the node's address and MAC on the bridge: a guest is a machine of its own in
 * the same network, and what the node is connected to stays so.
 * @returns the node's network from now on
 * @throws Fault `BRIDGE_FAILED`
 */
export function makeBridge(host: Host, network: Network, { run, leaseScript }: Paths): Network {
  if (network.interface === bridgeName) return network;
  const nic = network.interface;
  const address = inet(host, nic);
  const mac = host.readText(`/sys/class/net/${nic}/address`)?.trim() ?? '';
  must(host, ['ip', 'link', 'add', bridgeName, 'type', 'bridge']);
  // Else it keeps silent for 15 s, in case there is a loop.
  host.writeText(`/sys/class/net/${bridgeName}/bridge/forward_delay`, '0');
  must(host, ['ip', 'link', 'set', 'dev', bridgeName, 'address', mac]);
  network.udhcpc.stop();
  must(host, ['brctl', 'addif', bridgeName, nic]);
  must(host, ['ip', 'addr', 'flush', 'dev', nic]);
  must(host, ['ip', 'link', 'set', 'dev', bridgeName, 'up']);
  must(host, ['ip', 'addr', 'add', address, 'broadcast', '+', 'dev', bridgeName]);
  const { router } = network.lease;
  if (router !== undefined) must(host, ['ip', 'route', 'replace', 'default', 'via', router, 'dev', bridgeName]);
  const wanted = { interface: bridgeName, script: leaseScript, address: network.lease.address };
  writeTapScript(host, run);
  return { ...network, interface: bridgeName, udhcpc: host.start(dhcpArguments(wanted)) };
}

/** Where {@link makeBridge} puts the program that QEMU calls for the guest's interface. */
export function tapScriptPath(run: string): string {
  return `${run}/tap-script`;
}

function writeTapScript(host: Host, run: string): void {
  const busybox = `${run}/bin/busybox`;
  const lines = [`#!${busybox} sh`, `${busybox} brctl addif ${bridgeName} "$1"`, `${busybox} ip link set dev "$1" up`];
  host.writeText(tapScriptPath(run), `${lines.join('\n')}\n`);
  must(host, ['chmod', '755', tapScriptPath(run)]);
}

/** `10.20.0.100/24` */
function inet(host: Host, nic: string): string {
  const shown = must(host, ['ip', '-4', '-o', 'addr', 'show', 'dev', nic]);
  return /inet ([0-9./]+)/.exec(shown)?.[1] ?? '';
}

function must(host: Host, argv: readonly string[]): string {
  return runOrFail(host, argv, { code: 'BRIDGE_FAILED', purpose: `make the bridge (${argv.join(' ')})` });
}
