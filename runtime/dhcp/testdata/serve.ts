/**
 * The boot servers alone, as a process that the tests start in a network namespace by the socket launcher:
 * DHCP, TFTP from a folder, and an HTTP server that has the folder under /nbp/ and answers all else by a boot script
 * that waits. Says what happens as JSON lines.
 *
 *     serve.ts INTERFACE MODE LEASES NBP_FOLDER
 */
import { readdirSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import type { BootEvent } from '../../boot/event.ts';
import { autoexecScript, script } from '../../boot/ipxe.ts';
import { runAll } from '../../component.ts';
import { openLog } from '../../log.ts';
import { interfaceAddress } from '../../sockets/interface.ts';
import { openBootSockets } from '../../sockets/open.ts';
import { openContent, type TftpFile } from '../../tftp/content.ts';
import { tftpServer } from '../../tftp/server.ts';
import { parseIpv4 } from '../address.ts';
import { openDhcpServer } from '../server.ts';
import type { DhcpView } from '../view.ts';
import { range } from './view.ts';

const [name = '', mode = '', leasesPath = '', folder = ''] = process.argv.slice(2);
const say = (line: object) => process.stdout.write(`${JSON.stringify(line)}\n`);
const { address, netmask } = await interfaceAddress(name);
const prefix = address.split('.').slice(0, 3).join('.');
const server = `http://${address}:8480`;
const view: DhcpView = {
  mode: mode as DhcpView['mode'],
  subnet: { address: parseIpv4(address), netmask: parseIpv4(netmask) },
  range: range(`${prefix}.100`, `${prefix}.199`),
  leaseMs: 120_000,
  router: parseIpv4(address),
  dns: [parseIpv4(address)],
  domain: 'lab.test',
  bootServer: server,
  httpBootUrls: { 'uefi-x64-http': `${server}/nbp/snponly.efi` },
};
const files = new Map<string, TftpFile>(
  (folder ? readdirSync(folder) : []).map((file) => {
    const path = join(folder, file);
    return [file, { path, sizeBytes: statSync(path).size }];
  }),
);
files.set('autoexec.ipxe', { bytes: new TextEncoder().encode(autoexecScript(server, 'uefi-x64')) });

const ways = { firmware: 'bios', shell: false } as const;
const waiting = { ...ways, kind: 'waiting', reason: 'building, 1 of 2', pauseSeconds: 5 } as const;

async function contentOf(file: TftpFile): Promise<Uint8Array> {
  const content = await openContent(file);
  return content.read(0, content.sizeBytes).finally(() => content.close());
}

const sockets = await openBootSockets({
  interface: name,
  names: ['dhcp', 'pxe', 'tftp'],
  environment: process.env,
  pid: process.pid,
});
const log = openLog({ level: 'debug' });
const emit = (event: BootEvent) => say(event);
const dhcp = await openDhcpServer({ sockets, view: () => view, leasesPath, emit, log, now: Date.now });
const tftp = tftpServer({ socket: sockets.tftp, address, fileOf: (file) => files.get(file), emit, log, now: Date.now });
const http = createServer(async (request, response) => {
  const { method, url = '' } = request;
  say({ kind: 'http', method, url });
  const file = files.get(/^\/nbp\/([a-z.]+)$/.exec(url)?.[1] ?? '');
  const body = file ? await contentOf(file) : script({ ...waiting, scriptUrl: `${server}${url}` });
  // EDK2 hangs after a HEAD that is answered without a length.
  response.setHeader('content-length', body.length);
  response.end(method === 'HEAD' ? undefined : body);
});
http.listen(8480, address, () => say({ kind: 'ready' }));
const stop = new AbortController();
process.once('SIGTERM', () => stop.abort());
await runAll([dhcp, tftp], stop.signal);
http.closeAllConnections();
http.close();
say({ kind: 'ended', ignored: dhcp.ignored() });
