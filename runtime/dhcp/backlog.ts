import type { LeaseChange } from './lease.ts';

/** Lease changes on their way to the disk, each with what is to be done once it is there. */
export interface Backlog {
  /** Queues a change; false when too many wait: nodes ask again, later and slower. */
  add(change: LeaseChange, onDisk?: () => void): boolean;
  /** Resolves when nothing waits. */
  drained(): Promise<void>;
}

const waitingLimit = 4096;

/**
 * All changes that come in while one write is under way share the next one, so that a disk that syncs 50 times a second
 * does not limit 1,000 nodes to 50 leases a second.
 * @param onFailure told when a write failed; what waited for it is forgotten
 */
export function openBacklog(
  write: (changes: readonly LeaseChange[]) => Promise<void>,
  onFailure: (error: unknown) => void,
): Backlog {
  let waiting: { readonly change: LeaseChange; readonly onDisk: (() => void) | undefined }[] = [];
  let writing: Promise<void> | undefined;

  async function writeAll(): Promise<void> {
    while (waiting.length > 0) {
      const batch = waiting;
      waiting = [];
      try {
        await write(batch.map(({ change }) => change));
        for (const { onDisk } of batch) onDisk?.();
      } catch (error) {
        onFailure(error);
      }
    }
    writing = undefined;
  }

  function add(change: LeaseChange, onDisk?: () => void): boolean {
    if (waiting.length >= waitingLimit) return false;
    waiting.push({ change, onDisk });
    writing ??= writeAll();
    return true;
  }

  return { add, drained: async () => writing };
}
