import { existsSync, type FSWatcher, watch } from 'node:fs';
import { join } from 'node:path';
import type { Revision } from '#bundle/digest.ts';
import { Fault } from '#bundle/fault.ts';
import type { Component } from '../component.ts';
import type { Log } from '../log.ts';
import type { Mirror } from './mirror.ts';
import type { LocalRepository } from './remote.ts';

export interface WatchOptions {
  readonly mirror: Mirror;
  readonly pollMs: number;
  /** Watched too, so that a commit is seen at once. */
  readonly local?: LocalRepository;
  readonly log: Log;
  /** Called with every answer of the remote, also when it has not changed. */
  readonly onRevision: (revision: Revision) => void;
  readonly onFault: (fault: Fault) => void;
  /** A number from 0 to 1: polls are spread over a tenth of their interval. */
  readonly random: () => number;
}

/** A commit touches several files within a few milliseconds. */
const settleMs = 30;

/** Follows the repository by polling, which is the truth, and by file events, which are a hint. */
export function watchRepository(options: WatchOptions): Watcher {
  const bell = openBell();
  return { name: 'git', poke: bell.ring, run: (signal) => run(options, bell, signal) };
}

/** `poke` asks the remote now. */
export interface Watcher extends Component {
  poke(): void;
}

async function run(options: WatchOptions, bell: Bell, signal: AbortSignal): Promise<void> {
  const watchers = options.local ? watchLocal(options.local, bell.ring) : [];
  signal.addEventListener('abort', bell.ring, { once: true });
  try {
    while (!signal.aborted) {
      await ask(options, signal);
      if (signal.aborted) break;
      await bell.wait(options.pollMs * (0.95 + options.random() / 10));
      if (!signal.aborted) await pause(settleMs);
    }
  } finally {
    for (const watcher of watchers) watcher.close();
  }
}

async function ask({ mirror, onRevision, onFault, log }: WatchOptions, signal: AbortSignal): Promise<void> {
  try {
    onRevision(await mirror.update());
  } catch (error) {
    if (signal.aborted) return;
    if (!(error instanceof Fault)) throw error;
    log.warn({ code: error.code, hint: error.hint }, error.message);
    onFault(error);
  }
}

/**
 * HEAD is replaced by a checkout, a ref by a commit or a push, packed-refs by a garbage collection. Watching the
 * folders instead of the files survives that all of them are replaced by renaming.
 */
function watchLocal({ gitPath, commonPath }: LocalRepository, ring: () => void): readonly FSWatcher[] {
  const tell = (_: string, name: string | null) => {
    if (name === null || /^(HEAD|packed-refs)/.test(name)) ring();
  };
  const watchers = [...new Set([gitPath, commonPath])].map((path) => watch(path, tell));
  watchers.push(watch(join(commonPath, 'refs'), { recursive: true }, ring));
  // Git 2.45 and later may keep all refs in one place (git-init(1), --ref-format=reftable).
  const tables = join(commonPath, 'reftable');
  if (existsSync(tables)) watchers.push(watch(tables, ring));
  // A watched folder that vanishes is found by the next poll.
  for (const watcher of watchers) watcher.on('error', ring);
  return watchers;
}

/** Something to wait for: rung while nobody waits, the next wait ends at once. */
interface Bell {
  readonly ring: () => void;
  readonly wait: (limitMs: number) => Promise<void>;
}

function openBell(): Bell {
  let rung = false;
  let wake: (() => void) | undefined;
  return {
    ring: () => {
      rung = true;
      wake?.();
    },
    wait: async (limitMs) => {
      if (!rung) {
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, limitMs);
          wake = () => {
            clearTimeout(timer);
            resolve();
          };
        });
      }
      rung = false;
      wake = undefined;
    },
  };
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
