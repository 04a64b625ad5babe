/**
 * aria2's options for a node. Private torrents: the tracker alone knows the peers, so DHT, PEX and LPD are off.
 * `--bt-request-peer-speed-limit`: by default aria2 stops looking for peers as soon as it gets 50 kB/s, and would
 * stay with the origin alone. While it downloads `--bt-max-peers=0`: the default of 55 has the same effect in a large room.
 * Files lie on a tmpfs: nothing is preallocated, cached or saved a second time.
 * Of a web seed one connection, which is tried for ever.
 */
const common = [
  '--no-conf=true',
  '--enable-dht=false',
  '--enable-dht6=false',
  '--bt-enable-lpd=false',
  '--enable-peer-exchange=false',
  '--disable-ipv6=true',
  '--listen-port=6881-6889',
  '--bt-request-peer-speed-limit=1000M',
  '--bt-tracker-connect-timeout=5',
  '--bt-tracker-timeout=10',
  '--bt-stop-timeout=0',
  '--connect-timeout=5',
  '--timeout=20',
  '--max-tries=0',
  '--retry-wait=2',
  '--seed-ratio=0.0',
  '--max-concurrent-downloads=8',
  '--file-allocation=none',
  '--disk-cache=0',
  '--allow-overwrite=true',
  '--auto-file-renaming=false',
  '--always-resume=false',
  '--auto-save-interval=0',
  '--follow-torrent=false',
  '--bt-save-metadata=false',
  '--summary-interval=0',
  '--console-log-level=warn',
  '--show-console-readout=false',
];

/**
 * How often a node that downloads asks for peers. Left to the tracker, a first answer that was late or lost would leave
 * aria2 without any peer for two minutes; an answer that comes later is lost in the same way.
 */
const announceSeconds = 5;
/** Seeders in their OS: whoever still misses something finds them; and thousands of them ask. */
const seedingAnnounceSeconds = 60;
const seederPeers = 40;

/** Arguments of a client that takes orders on a port of this machine: only for a machine without other users. */
export function downloadArguments(rpcPort: number): readonly string[] {
  const peers = ['--bt-max-peers=0', `--bt-tracker-interval=${announceSeconds}`];
  return [...common, ...peers, '--enable-rpc=true', '--rpc-listen-all=false', `--rpc-listen-port=${rpcPort}`];
}

/**
 * Arguments of a client that only seeds what is complete, in the running OS: nobody can give it orders. Its files
 * were checked by SHA-256 a moment ago, so it does not hash them again. Its memory is bounded by the number of peers
 * and by what it may send to them.
 * @param inputFile as {@link seedInput} writes it
 * @param uploadBytesPerSecond default: no limit
 */
export function seedArguments(inputFile: string, uploadBytesPerSecond = 0): readonly string[] {
  // Not --bt-hash-check-seed=false, which reads like a part of this: with it aria2 ends at once.
  const trusting = ['--check-integrity=false', '--bt-seed-unverified=true'];
  const peers = [`--bt-max-peers=${seederPeers}`, `--bt-tracker-interval=${seedingAnnounceSeconds}`];
  const limits = [...peers, `--max-overall-upload-limit=${uploadBytesPerSecond}`];
  return [...common, ...trusting, ...limits, '--enable-rpc=false', `--input-file=${inputFile}`];
}

/** aria2's list of torrents, each with its directory. */
export function seedInput(torrents: readonly { torrentPath: string; directory: string }[]): string {
  return torrents.map(({ torrentPath, directory }) => `${torrentPath}\n  dir=${directory}\n`).join('');
}
