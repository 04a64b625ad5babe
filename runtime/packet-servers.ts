import { join } from 'node:path';
import type { Emit } from './boot/event.ts';
import type { Component } from './component.ts';
import { openDhcpServer } from './dhcp/server.ts';
import type { Drain } from './drain.ts';
import type { Here } from './here.ts';
import type { NodeTable } from './node-table.ts';
import type { Serving } from './serving.ts';
import { openBootSockets } from './sockets/open.ts';
import { tftpServer } from './tftp/server.ts';
import { tftpFileOf } from './tftp-files.ts';

/** The servers on UDP 67, 4011 and 69. */
export interface Sockets {
  readonly components: readonly Component[];
  /** DHCP packets that were not answered, by reason. */
  readonly ignored: () => Readonly<Record<string, number>>;
}

interface PacketParts {
  readonly serving: Serving;
  readonly table: NodeTable;
  readonly emit: Emit;
  readonly drain: Drain;
}

const now = () => Date.now();

/** @throws Fault `INTERFACE_NOT_BOUND` and those of the lease file */
export async function openSockets(here: Here, parts: PacketParts): Promise<Sockets> {
  const { options, site } = here;
  const { environment, pid, log, statePath } = options;
  const wanted = { interface: site.network.interface, environment, pid };
  if (site.network.dhcp.mode === 'off') {
    const { tftp } = await openBootSockets({ ...wanted, names: ['tftp'] });
    return { components: [openTftp(here, { ...parts, tftp })], ignored: () => ({}) };
  }
  const { tftp, dhcp, pxe } = await openBootSockets({ ...wanted, names: ['dhcp', 'pxe', 'tftp'] });
  const leasesPath = join(statePath, 'leases.json');
  const view = () => ({ ...parts.serving.current().dhcp, refuses: parts.drain.refuses });
  const { emit } = parts;
  const dhcpServer = await openDhcpServer({ sockets: { dhcp, pxe }, view, leasesPath, emit, log, now });
  return { components: [dhcpServer, openTftp(here, { ...parts, tftp })], ignored: dhcpServer.ignored };
}

function openTftp(
  { options, address, store }: Here,
  { serving, table, emit, tftp }: PacketParts & { readonly tftp: Parameters<typeof tftpServer>[0]['socket'] },
): Component {
  const fileOf = tftpFileOf({
    ...{ menu: () => serving.current().menu, server: () => serving.current().server, blobPath: store.blobPath },
    isUnchanged: store.isUnchanged,
    firmwareAt: (at) => table.nodes.at(at)?.firmware,
  });
  return tftpServer({ socket: tftp, address: address.address, fileOf, emit, log: options.log, now });
}
