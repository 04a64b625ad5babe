import type { Revision } from '#bundle/digest.ts';
import { readCommitSummary } from './commit-summary.ts';
import { historyEvent } from './history/event.ts';
import { historyPath, openHistory } from './history/file.ts';
import type { Log } from './log.ts';
import type { Result } from './reconcile/outcome.ts';

export interface RecorderOptions {
  readonly statePath: string;
  /** The bare repository that knows the commits. */
  readonly mirrorPath: string;
  readonly log: Log;
  readonly now: () => number;
  /** Told of each, repeated or not. */
  readonly onRecord: (result: Result, seconds: number | undefined) => void;
}

/** Keeps what became of each revision. */
export interface Recorder {
  /** @param seconds from the start of the work; absent: it was found published */
  record(result: Result, seconds?: number): Promise<void>;
  /** What is served, whoever published it: recorded unless it is known. */
  found(served: { readonly revision: Revision; readonly serial: number }): Promise<void>;
}

export async function openRecorder(options: RecorderOptions): Promise<Recorder> {
  const { statePath, mirrorPath, log, now } = options;
  const history = await openHistory(historyPath(statePath), log);

  async function record(result: Result, seconds?: number): Promise<void> {
    // Nothing came of it yet.
    if (result.kind === 'refused' && result.retry === 'waiting') return;
    const commit = result.revision && (await readCommitSummary(mirrorPath, result.revision));
    const known = { ...(commit && { commit }), ...(seconds !== undefined && { seconds }) };
    options.onRecord(result, seconds);
    await history.add(historyEvent({ result, atMs: now(), ...known }));
  }
  return {
    record,
    async found({ revision, serial }) {
      if (serial > history.lastSerial()) await record({ kind: 'published', revision, serial });
    },
  };
}
