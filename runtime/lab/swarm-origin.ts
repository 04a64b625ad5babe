import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createInterface } from 'node:readline';
import { parseSessionId } from '#bundle/digest.ts';
import type { BootEvent } from '../boot/event.ts';
import { openLog } from '../log.ts';
import type { SeedBundle } from '../swarm/seed-bundle.ts';
import { Seeder } from '../swarm/seeder.ts';
import { createTracker } from '../tracker/http.ts';

/**
 * A program: origin seeder and tracker of some bundles in one process, for tests and benchmarks that run them in a
 * namespace. First line of standard input: {@link OriginSettings}; the first line it prints is `listening`, and at the
 * end of its input it prints {@link OriginResult} and ends.
 */
export interface OriginSettings {
  readonly host: string;
  readonly trackerPort: number;
  readonly bundles: readonly SeedBundle[];
  /** Default 3; 0 stands for plain seeding. */
  readonly windowPieces?: number;
}

export interface OriginResult {
  readonly sentBytes: Readonly<Record<string, number>>;
  readonly peakMemoryBytes: number;
  readonly announces: number;
}

const lines = createInterface({ input: process.stdin });
const [line] = await lines[Symbol.asyncIterator]()
  .next()
  .then(({ value }) => [String(value)]);
const { host, trackerPort, bundles, windowPieces }: OriginSettings = JSON.parse(line ?? '');

const sentBytes: Record<string, number> = {};
let announces = 0;
function emit(event: BootEvent): void {
  if (event.kind === 'announce') announces++;
  if (event.kind === 'origin') sentBytes[event.address] = (sentBytes[event.address] ?? 0) + event.sentBytes;
}

const log = openLog({ level: process.env.BT_LOG ?? 'warn' });
const nowMs = () => Date.now();
const seeder = new Seeder({
  host,
  log,
  emit,
  nowMs,
  random: Math.random,
  ...(windowPieces !== undefined && { windowPieces: windowPieces === 0 ? Number.POSITIVE_INFINITY : windowPieces }),
});
const tracker = createTracker({
  origin: () => ({ address: host, port: seeder.port }),
  admits: () => true,
  emit,
  random: Math.random,
});
for (const bundle of bundles) {
  await seeder.seed(bundle);
  tracker.register(bundle.infoHash);
}

const web = createServer((request, response) => {
  const [path = '', query = ''] = (request.url ?? '').split('?');
  const remoteAddress = request.socket.remoteAddress ?? '';
  const session = parseSessionId(path.replace('/announce/', ''));
  response.end(tracker.handleAnnounce({ session, query, remoteAddress, nowMs: nowMs() }));
});
const stop = new AbortController();
const running = seeder.run(stop.signal);
web.listen(trackerPort, host, () => process.stdout.write('listening\n'));
lines.on('close', () => stop.abort());
await running;
web.close();
web.closeAllConnections();
const result: OriginResult = { sentBytes, peakMemoryBytes: peakMemoryBytes(), announces };
process.stdout.write(`${JSON.stringify(result)}\n`);

/** Not getrusage's: its maximum counts what the parent held when it forked. */
function peakMemoryBytes(): number {
  const [, kib] = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8')) ?? [];
  return Number(kib) * 1024;
}
