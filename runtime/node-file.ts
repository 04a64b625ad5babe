import { readFile, rm } from 'node:fs/promises';
import { parseDigest, parseMac, parseSessionId } from '#bundle/digest.ts';
import { replaceFile } from '#store/atomic-file.ts';
import type { Nodes } from './boot/nodes.ts';
import type { BootSession } from './boot/session.ts';
import type { Component } from './component.ts';
import type { Log } from './log.ts';

/** What is lost when the process is killed: nothing that a node's next report does not bring back. */
const intervalMs = 2000;

/**
 * The boot sessions of an earlier process: so that nodes that run and share, and report no more, are still known. A file
 * that cannot be read costs no more than that.
 */
export async function readNodes(path: string, log: Log): Promise<readonly BootSession[]> {
  try {
    const list = JSON.parse(await readFile(path, 'utf8')) as readonly BootSession[];
    return list.filter(isSession);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') log.warn({ path }, 'boot sessions cannot be read');
    return [];
  }
}

/** Keeps the boot sessions in a file, as long as they change. */
export function keepNodes(path: string, { nodes, log }: { readonly nodes: Nodes; readonly log: Log }): Component {
  let kept = '';
  async function keep(): Promise<void> {
    const text = JSON.stringify(nodes.list());
    if (text === kept) return;
    try {
      // What a killed process may have left.
      await rm(`${path}.new`, { force: true });
      await replaceFile(path, text, { temporary: `${path}.new`, isCache: true });
      kept = text;
    } catch (error) {
      log.warn({ path, reason: String(error) }, 'boot sessions not kept');
    }
  }
  return {
    name: 'nodes',
    async run(signal) {
      while (!signal.aborted) {
        await keep();
        await pause(intervalMs, signal);
      }
      await keep();
    },
  };
}

/** Written by this program; checked for a version of it that had other fields. */
function isSession(session: BootSession): boolean {
  try {
    parseSessionId(session.id);
    parseMac(session.mac);
    for (const digest of session.names) parseDigest(digest);
    return session.phases.length > 0 && Number.isFinite(session.lastSeenMs) && Number.isFinite(session.originBytes);
  } catch {
    return false;
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(done, ms);
    function done(): void {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    }
    signal.addEventListener('abort', done);
    if (signal.aborted) done();
  });
}
