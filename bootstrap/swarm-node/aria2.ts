import { encodeBase64 } from '#bundle/base64.ts';
import { Fault } from '#bundle/fault.ts';
import { type RecordReader, recordReader } from '#bundle/record.ts';
import { lastLine } from '../agent/command.ts';
import type { Host } from '../agent/host.ts';
import { downloadArguments } from './aria2-arguments.ts';
import type { SwarmNode, SwarmPrograms, SwarmTorrent, TorrentState } from './swarm-node.ts';

const rpcPort = 6800;
/** Seen under emulation: 1.4 s from the start of the process to its first answer. */
const startTimeoutMs = 30_000;
const keys = [
  'status',
  'completedLength',
  'totalLength',
  'downloadSpeed',
  'uploadSpeed',
  'connections',
  'errorMessage',
];

/** Starts aria2 and waits until it takes orders. @throws Fault `SWARM_FAILED` */
export function startAria2(host: Host, programs: SwarmPrograms): SwarmNode {
  const child = host.start([...programs.command, ...downloadArguments(rpcPort)]);
  const ids: string[] = [];
  const ended = (): string | undefined =>
    child.poll() === undefined ? undefined : `aria2 ended with ${child.poll()}: ${lastLine(child.output())}`;

  function add(torrent: SwarmTorrent): void {
    const metainfo = host.readBytes(torrent.torrentPath);
    if (!metainfo) throw failed(`there is no ${torrent.torrentPath}`);
    const id = call(host, 'aria2.addTorrent', [encodeBase64(metainfo), [], { dir: torrent.directory }]);
    if (typeof id !== 'string') throw failed('aria2 did not take the torrent');
    ids.push(id);
  }
  function states(): readonly TorrentState[] | undefined {
    const calls = ids.map((id) => ({ methodName: 'aria2.tellStatus', params: [id, keys] }));
    const answer = call(host, 'system.multicall', [calls]);
    if (!Array.isArray(answer) || answer.length !== ids.length) return undefined;
    return answer.map((one) => readState(recordReader(Array.isArray(one) ? one[0] : one, 'aria2', 'SWARM_FAILED')));
  }

  function addWebSeed(torrent: number, urls: ReadonlyMap<string, string>): void {
    const id = ids[torrent];
    const files = call(host, 'aria2.getFiles', [id]);
    for (const file of Array.isArray(files) ? files : []) {
      const record = recordReader(file, 'aria2', 'SWARM_FAILED');
      const url = urls.get(record.string('path').split('/').at(-1) ?? '');
      if (url !== undefined) call(host, 'aria2.changeUri', [id, Number(record.string('index')), [], [url]]);
    }
  }

  const endMs = host.uptimeMs() + startTimeoutMs;
  while (call(host, 'aria2.getVersion', []) === undefined) {
    const reason = ended();
    if (reason !== undefined || host.uptimeMs() > endMs) {
      child.stop();
      throw failed(reason ?? 'aria2 does not answer');
    }
    host.sleep(100);
  }
  return { add, states, addWebSeed, ended, stop: () => child.stop() };
}

/** Numbers come as strings of digits. */
function readState(record: RecordReader): TorrentState {
  const status = record.optionalString('status') ?? 'error';
  const count = (key: string) => Number.parseInt(record.optionalString(key) ?? '0', 10) || 0;
  const totalBytes = count('totalLength');
  const doneBytes = count('completedLength');
  const error = status === 'error' ? (record.optionalString('errorMessage') ?? 'no reason given') : undefined;
  return {
    doneBytes,
    totalBytes,
    receiveBytesPerSecond: count('downloadSpeed'),
    sendBytesPerSecond: count('uploadSpeed'),
    peers: count('connections'),
    isComplete: totalBytes > 0 && doneBytes === totalBytes,
    ...(error !== undefined && { error }),
  };
}

/** One call of JSON-RPC 2.0 over busybox wget; undefined when there is no good answer. */
function call(host: Host, method: string, params: readonly unknown[]): unknown {
  const request = `${host.workPath}/rpc-request`;
  host.writeText(request, JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }));
  const header = ['--header', 'Content-Type: application/json'];
  const url = `http://127.0.0.1:${rpcPort}/jsonrpc`;
  const { status, stdout } = host.run(['wget', '-q', '-T', '10', '-O', '-', ...header, `--post-file=${request}`, url]);
  if (status !== 0) return undefined;
  try {
    return (JSON.parse(stdout) as { result?: unknown }).result;
  } catch {
    return undefined;
  }
}

function failed(reason: string): Fault {
  return new Fault('SWARM_FAILED', `Cannot download by the swarm: ${reason}`);
}
