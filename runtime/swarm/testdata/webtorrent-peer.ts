/**
 * One webtorrent that downloads a torrent and then seeds it until the end of its standard input. Prints `complete`
 * as soon as all pieces are there, and the bytes that it sent to others (requests count as well) when it ends.
 *
 *     webtorrent-peer.ts TORRENT DIRECTORY
 */
import { readFile } from 'node:fs/promises';
import WebTorrent from 'webtorrent';

const [file = '', path = ''] = process.argv.slice(2);
const client = new WebTorrent({
  dht: false,
  lsd: false,
  utPex: false,
  utp: false,
  natUpnp: false,
  natPmp: false,
  // The origin speaks no encryption, and level 1, the default, does not fall back to plain where a connection is closed.
  secure: 0,
});
client.on('error', (error) => {
  throw error;
});
const torrent = client.add(await readFile(file), { path, strategy: 'rarest' });
torrent.on('done', () => process.stdout.write('complete\n'));
process.stdin.resume();
process.stdin.on('end', () => {
  process.stdout.write(`${torrent.uploaded}\n`);
  client.destroy(() => process.exit(0));
});
