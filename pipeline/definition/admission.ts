import type { Revision } from '#bundle/digest.ts';
import { Fault } from '#bundle/fault.ts';
import { checkHistory } from './commit-history.ts';
import { checkSignatures, type SignaturePolicy } from './commit-signature.ts';
import type { Repository } from './git.ts';
import type { Site } from './site.ts';

export interface AdmissionOptions {
  readonly repository: Repository;
  readonly next: Revision;
  /** The site as that commit has it. */
  readonly site: Site;
  /** Absent: nothing was published yet. */
  readonly published?: Revision;
  /** The operator wants this commit although it does not descend from the published one. */
  readonly acceptsHistory?: boolean;
  /** Of the file on this machine's disk. */
  readonly policy: SignaturePolicy;
  readonly nowMs: number;
}

/**
 * Whether a commit whose definitions are good may take the place of the published one. Asked by whoever publishes,
 * before anything is built.
 * @throws Fault `SUSPENDED`, `HISTORY_REWRITTEN`, `COMMIT_SIGNATURE_REFUSED`, `SIGNERS_UNREADABLE`
 */
export async function admitCommit(options: AdmissionOptions): Promise<void> {
  const { repository, next, site, published, policy, nowMs, acceptsHistory = false } = options;
  if (site.suspended) {
    throw new Fault('SUSPENDED', `Cannot publish ${next.slice(0, 12)}: it says suspend: true`, {
      hint: 'What is served stays; a commit without "suspend" ends this, and is the one that is published',
      retry: 'stalled',
      location: site.suspended,
    });
  }
  if (published !== undefined && !acceptsHistory && !isNobodys(published)) {
    await checkHistory(repository, { published, next });
  }
  const since = published === undefined || isNobodys(published) ? {} : { published };
  await checkSignatures(repository, { policy, next, nowMs, ...since });
}

/** What was published from a directory that no repository holds. */
function isNobodys(revision: Revision): boolean {
  return /^0+$/.test(revision);
}
