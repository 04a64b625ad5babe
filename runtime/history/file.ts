import { open, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { replaceFile } from '#store/atomic-file.ts';
import type { Log } from '../log.ts';
import { formatEvent, type HistoryEvent, isRepeated, parseEvents } from './event.ts';

/** Every publish and every refusal, on disk: one JSON object a line, oldest first. */
export interface History {
  /** Adds an event unless the last one says the same. A disk that is full loses it, and nothing else. */
  add(event: HistoryEvent): Promise<void>;
  /** Of the newest catalog that is in it; 0: of none. */
  lastSerial(): number;
}

/** Above this the older half goes: some 2,000 events stay. */
const sizeLimitBytes = 2 * 1024 * 1024;

export function historyPath(statePath: string): string {
  return join(statePath, 'history.jsonl');
}

/** What is on the disk, oldest first; nothing where there is no file. */
export async function readHistory(path: string): Promise<readonly HistoryEvent[]> {
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return '';
    throw error;
  });
  return parseEvents(text);
}

export async function openHistory(path: string, log: Log): Promise<History> {
  const known = await readHistory(path);
  let last = known.at(-1);
  let lastSerial = Math.max(0, ...known.map(({ serial = 0 }) => serial));
  let turn = Promise.resolve();

  async function write(event: HistoryEvent): Promise<void> {
    if (isRepeated(event, last)) return;
    last = event;
    lastSerial = Math.max(lastSerial, event.serial ?? 0);
    try {
      await append(path, formatEvent(event));
      if ((await stat(path)).size > sizeLimitBytes) await halve(path);
    } catch (error) {
      log.warn({ path, reason: String(error) }, 'an event of the history is not kept');
    }
  }
  return {
    lastSerial: () => lastSerial,
    add(event) {
      turn = turn.then(() => write(event));
      return turn;
    },
  };
}

/** A line that a crash has torn is ended first, so that it takes no other with it. */
async function append(path: string, line: string): Promise<void> {
  const file = await open(path, 'a+', 0o600);
  try {
    const { size } = await file.stat();
    const { buffer } = size > 0 ? await file.read(Buffer.alloc(1), 0, 1, size - 1) : { buffer: Buffer.from('\n') };
    await file.appendFile(buffer[0] === 10 ? `${line}\n` : `\n${line}\n`);
    await file.datasync();
  } finally {
    await file.close();
  }
}

async function halve(path: string): Promise<void> {
  const events = await readHistory(path);
  const kept = events.slice(Math.floor(events.length / 2)).map((event) => `${formatEvent(event)}\n`);
  const temporary = `${path}.new`;
  await rm(temporary, { force: true });
  await replaceFile(path, kept.join(''), { temporary });
}
