import { existsSync, rmSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import type { Mac } from '#bundle/digest.ts';
import type { OneShotChoice } from './boot/choice.ts';
import type { ReleaseRecord } from './boot/fallback.ts';
import type { SessionChange } from './boot/nodes.ts';
import type { BootSession } from './boot/session.ts';
import type { OffersStore } from './boot-offers.ts';
import type { Component } from './component.ts';
import type { Log } from './log.ts';
import { sessionQueue } from './session-queue.ts';

/** The end of what a node printed in the newest boot that failed. */
export interface FailedLog {
  readonly session: string;
  readonly atMs: number;
  readonly code: string;
  readonly log: string;
}

/**
 * What is known of nodes, so that it outlives the process: boot sessions, logs of failed boots, what people chose, which
 * releases came up. Sessions are written once a second, all that changed in one transaction; the rest at once.
 */
export interface NodeStore extends OffersStore, Component {
  /** The newest session of every node. */
  newest(): readonly BootSession[];
  /** Sessions that newer ones have replaced, newest first. */
  earlier(mac: Mac): readonly BootSession[];
  keepSession(change: SessionChange): void;
  keepLog(mac: Mac, log: FailedLog): void;
  logOf(mac: Mac): FailedLog | undefined;
}

/** Sessions of a node, the newest one included. */
export const sessionsKept = 20;
const flushMs = 1000;
/** A thousand take about 50 ms, in which nothing else is answered. */
const flushLimit = 1000;
/** Raised when a stored object gets another shape: what an older version kept is then dropped. */
const layout = 1;

const tables = `
CREATE TABLE sessions (id TEXT PRIMARY KEY, mac TEXT, startedMs INTEGER, isNewest INTEGER, session TEXT) WITHOUT ROWID;
CREATE INDEX sessionsOfNode ON sessions (mac, startedMs);
CREATE INDEX newestSessions ON sessions (isNewest) WHERE isNewest = 1;
CREATE TABLE logs (mac TEXT PRIMARY KEY, log TEXT) WITHOUT ROWID;
CREATE TABLE choices (mac TEXT PRIMARY KEY, choice TEXT) WITHOUT ROWID;
CREATE TABLE records (mac TEXT, image TEXT, record TEXT, PRIMARY KEY (mac, image)) WITHOUT ROWID;
PRAGMA user_version = ${layout};`;

const newestSessions = 'SELECT session FROM sessions WHERE isNewest = 1';
const startReads = [newestSessions, 'SELECT choice FROM choices', 'SELECT record FROM records'];

/** What a database says of nodes while no runtime has it open; nothing where there is none. */
export function readNodeStore(path: string): { sessions: readonly BootSession[]; records: readonly ReleaseRecord[] } {
  if (!existsSync(path)) return { sessions: [], records: [] };
  const database = new DatabaseSync(path, { readOnly: true });
  const all = <T>(sql: string) =>
    database
      .prepare(sql)
      .all()
      .map((row) => JSON.parse(String(Object.values(row)[0])) as T);
  try {
    return { sessions: all<BootSession>(newestSessions), records: all<ReleaseRecord>('SELECT record FROM records') };
  } finally {
    database.close();
  }
}

/** Opens the file, or begins a new one where there is none or where it cannot be read: a boot depends on nothing in it. */
export function openNodeStore(path: string, log: Log): NodeStore {
  const database = open(path, log);
  const all = <T>(sql: string, ...values: readonly string[]) =>
    database
      .prepare(sql)
      .all(...values)
      .map((row) => JSON.parse(String(Object.values(row)[0])) as T);
  const change = (sql: string) => {
    const statement = database.prepare(sql);
    return (...values: readonly (string | number)[]) => attempt(() => statement.run(...values), log);
  };
  const putSession = change('REPLACE INTO sessions VALUES (?, ?, ?, ?, ?)');
  const trim = change(
    `DELETE FROM sessions WHERE mac = ?1 AND id NOT IN
     (SELECT id FROM sessions WHERE mac = ?1 ORDER BY startedMs DESC LIMIT ${sessionsKept})`,
  );
  const forget = [change('DELETE FROM sessions WHERE mac = ?'), change('DELETE FROM logs WHERE mac = ?')];
  const queue = sessionQueue();

  function flush(limit: number): void {
    const { sessions, forgotten } = queue.take(performance.now(), limit);
    if (sessions.length + forgotten.length === 0) return;
    const transaction = () => {
      database.exec('BEGIN');
      for (const mac of forgotten) for (const drop of forget) drop(mac);
      for (const { session, isNewest } of sessions) {
        putSession(session.id, session.mac, session.phases[0]?.atMs ?? 0, isNewest ? 1 : 0, JSON.stringify(session));
      }
      for (const { session, isNewest } of sessions) if (!isNewest) trim(session.mac);
      database.exec('COMMIT');
    };
    attempt(transaction, log);
  }

  return {
    newest: () => all(newestSessions),
    earlier(mac) {
      flush(Number.POSITIVE_INFINITY);
      return all('SELECT session FROM sessions WHERE mac = ? AND isNewest = 0 ORDER BY startedMs DESC', mac);
    },
    keepSession: queue.put,
    keepLog: (
      (put) => (mac, kept) =>
        put(mac, JSON.stringify(kept))
    )(change('REPLACE INTO logs VALUES (?, ?)')),
    logOf: (mac) => all<FailedLog>('SELECT log FROM logs WHERE mac = ?', mac)[0],
    ...offers(all, change),
    name: 'nodes',
    async run(signal) {
      const timer = setInterval(flush, flushMs, flushLimit);
      await new Promise<void>((resolve) => {
        signal.addEventListener('abort', () => resolve(), { once: true });
        if (signal.aborted) resolve();
      });
      clearInterval(timer);
      flush(Number.POSITIVE_INFINITY);
      database.close();
    },
  };
}

function offers(
  all: <T>(sql: string) => readonly T[],
  change: (sql: string) => (...values: readonly (string | number)[]) => void,
): OffersStore {
  const putChoice = change('REPLACE INTO choices VALUES (?, ?)');
  const putRecord = change('REPLACE INTO records VALUES (?, ?, ?)');
  return {
    choices: () => all<OneShotChoice>('SELECT choice FROM choices'),
    keepChoice: (choice) => putChoice(choice.mac, JSON.stringify(choice)),
    dropChoice: change('DELETE FROM choices WHERE mac = ?'),
    records: () => all<ReleaseRecord>('SELECT record FROM records'),
    keepRecord: (record) => putRecord(record.mac, record.image, JSON.stringify(record)),
    dropRecords: change('DELETE FROM records WHERE mac = ?'),
  };
}

/** A full disk must not end a boot: what cannot be kept is lost with the process at worst. */
function attempt(action: () => void, log: Log): void {
  try {
    action();
  } catch (error) {
    log.warn({ reason: String(error) }, 'what is known of nodes is not kept');
  }
}

function open(path: string, log: Log): DatabaseSync {
  try {
    return prepared(path);
  } catch (error) {
    log.warn({ path, reason: String(error) }, 'what was known of nodes cannot be read');
    for (const suffix of ['', '-wal', '-shm']) rmSync(`${path}${suffix}`, { force: true });
    return prepared(path);
  }
}

function prepared(path: string): DatabaseSync {
  const database = new DatabaseSync(path);
  try {
    // Without a sync at each commit: after a power cut the newest seconds may be missing, and nothing is torn.
    database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA journal_size_limit = 16777216');
    const version = database.prepare('PRAGMA user_version').get()?.user_version;
    if (version === 0) database.exec(tables);
    else if (version !== layout) throw new Error(`its layout is ${version}, not ${layout}`);
    // Whatever is read at a start is read once here: a damaged file shows itself, and all of it need not be checked.
    for (const sql of startReads) database.prepare(sql).all();
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}
