import { type FileHandle, open, readFile, rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import { parseMac } from '#bundle/digest.ts';
import { Fault } from '#bundle/fault.ts';
import { parseRecord, type RecordReader } from '#bundle/record.ts';
import { parseIpv4 } from './address.ts';
import { type Lease, type LeaseChange, type LeaseTable, openLeaseTable } from './lease.ts';

/** Keeps leases on disk: one JSON record a line, the last one of a MAC counts. */
export interface LeaseFile {
  /** What was read at the start. */
  readonly leases: LeaseTable;
  /** Writes changes that `leases` holds already; they are on disk when it resolves. One call at a time. @throws Fault `LEASES_NOT_WRITTEN` */
  append(changes: readonly LeaseChange[]): Promise<void>;
  close(): Promise<void>;
}

const states = ['offered', 'bound', 'released', 'declined'] as const;
const mode = 0o600;

/** The file is written anew when it has this many lines, and four times as many as there are leases. */
const compactAtLines = 10_000;

/**
 * Reads a lease file (none: no leases), writes it anew without what is outdated, and opens it for appending. A last
 * line that was cut off by a crash was never acknowledged to a node, and is left out; any other bad line is a fault.
 * @throws Fault `LEASES_INVALID` | `LEASES_NOT_WRITTEN`
 */
export async function openLeaseFile(path: string): Promise<LeaseFile> {
  const leases = openLeaseTable(parseLines(await readOr(path, ''), path));
  let file: FileHandle | undefined;
  let lines = 0;

  async function compact(): Promise<void> {
    await file?.close();
    file = undefined;
    await writeAnew(path, formatLines(lastingChanges(leases)));
    file = await open(path, 'a', mode);
    lines = leases.byAddress.size;
  }

  async function append(changes: readonly LeaseChange[]): Promise<void> {
    try {
      // Without a file the last write failed, perhaps in the middle of a line; a new file has everything.
      if (!file || lines > Math.max(compactAtLines, 4 * leases.byAddress.size)) return await compact();
      await file.appendFile(formatLines(changes));
      await file.datasync();
      lines += changes.length;
    } catch (cause) {
      await file?.close();
      file = undefined;
      throw notWritten(path, cause);
    }
  }

  await append([]);
  return { leases, append, close: async () => file?.close() };
}

/** What is worth keeping: an offer promises nothing. */
function lastingChanges(leases: LeaseTable): readonly LeaseChange[] {
  const lasting = [...leases.byAddress.values()].filter((lease) => lease.state !== 'offered');
  return lasting.map((lease) => ({ kind: 'set', lease }));
}

async function writeAnew(path: string, text: string): Promise<void> {
  const file = await open(`${path}.new`, 'w', mode);
  try {
    await file.writeFile(text);
    await file.datasync();
  } finally {
    await file.close();
  }
  await rename(`${path}.new`, path);
  const directory = await open(dirname(path), 'r');
  await directory.sync().finally(() => directory.close());
}

function formatLines(changes: readonly LeaseChange[]): string {
  return changes
    .map((change) => `${JSON.stringify(change.kind === 'set' ? change.lease : { drop: change.mac })}\n`)
    .join('');
}

function parseLines(text: string, path: string): readonly LeaseChange[] {
  const lines = text.split('\n').slice(0, -1);
  return lines.map((line, index) => parseChange(parseRecord(line, `${path}:${index + 1}`, 'LEASES_INVALID')));
}

function parseChange(record: RecordReader): LeaseChange {
  const drop = record.optionalString('drop', 17);
  if (drop !== undefined) return { kind: 'drop', mac: parseMac(drop) };
  const lease: Lease = {
    mac: parseMac(record.string('mac', 17)),
    address: parseIpv4(record.string('address', 15)),
    state: record.oneOf('state', states),
    expiresAtMs: record.integer('expiresAtMs'),
  };
  return { kind: 'set', lease };
}

async function readOr(path: string, otherwise: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return otherwise;
    throw error;
  }
}

function notWritten(path: string, cause: unknown): Fault {
  return new Fault('LEASES_NOT_WRITTEN', `Cannot write ${path}: no address can be acknowledged`, {
    hint: 'Look for a full or read-only disk under the state directory',
    cause,
  });
}
