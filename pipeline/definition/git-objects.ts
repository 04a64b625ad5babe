import { once } from 'node:events';
import type { Readable } from 'node:stream';
import { Fault } from '#bundle/fault.ts';
import { type Repository, spawnGit } from './git.ts';

/** Reads blobs one after another from one `git cat-file --batch`. */
export interface GitObjects {
  /** @throws Fault `GIT_FAILED` */
  read(objectId: string): Promise<Buffer>;
  close(): Promise<void>;
}

export function openGitObjects(repository: Repository): GitObjects {
  const child = spawnGit(repository, ['cat-file', '--batch']);
  const ended = once(child, 'close');
  ended.catch(() => undefined);
  child.stdin.on('error', () => undefined);
  child.stderr.resume();
  const reader = bytesOf(child.stdout);
  let turn: Promise<unknown> = Promise.resolve();

  async function readNext(objectId: string): Promise<Buffer> {
    child.stdin.write(`${objectId}\n`);
    const header = await reader.line();
    const [, sizeBytes] = /^[0-9a-f]+ blob ([0-9]+)$/.exec(header) ?? [];
    if (sizeBytes === undefined)
      throw new Fault('GIT_FAILED', `Cannot read git object ${objectId}: ${header || 'git ended'}`);
    const bytes = await reader.take(Number(sizeBytes));
    await reader.take(1);
    return bytes;
  }
  return {
    read(objectId) {
      const result = turn.then(() => readNext(objectId));
      turn = result.catch(() => undefined);
      return result;
    },
    async close() {
      child.stdin.end();
      child.stdout.destroy();
      await ended;
    },
  };
}

function bytesOf(stream: Readable): { line(): Promise<string>; take(count: number): Promise<Buffer> } {
  const chunks = stream[Symbol.asyncIterator]();
  let rest: Buffer = Buffer.alloc(0);

  async function more(): Promise<boolean> {
    const { value, done } = await chunks.next();
    if (!done) rest = rest.length === 0 ? value : Buffer.concat([rest, value]);
    return !done;
  }
  function cut(count: number): Buffer {
    const bytes = rest.subarray(0, count);
    rest = rest.subarray(count);
    return bytes;
  }
  return {
    async line() {
      while (!rest.includes(10)) if (!(await more())) return '';
      return cut(rest.indexOf(10) + 1)
        .toString()
        .trimEnd();
    },
    async take(count) {
      const parts: Buffer[] = [];
      let missing = count;
      while (missing > 0) {
        if (rest.length === 0 && !(await more())) throw new Fault('GIT_FAILED', 'Cannot read git objects: git ended');
        const part = cut(missing);
        parts.push(part);
        missing -= part.length;
      }
      return Buffer.concat(parts);
    },
  };
}
