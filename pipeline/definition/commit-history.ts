import type { Revision } from '#bundle/digest.ts';
import { Fault } from '#bundle/fault.ts';
import { type Repository, runGit } from './git.ts';

/** From the published commit to one that is to follow it. */
export interface Step {
  readonly published: Revision;
  readonly next: Revision;
}

/**
 * Makes sure that a commit follows the published one: a history that was rewritten may leave out what everybody relies
 * on, a mended hole for instance, and nobody would see it in the log.
 * @throws Fault `HISTORY_REWRITTEN`
 */
export async function checkHistory(repository: Repository, { published, next }: Step): Promise<void> {
  if (published === next || (await isAncestor(repository, { published, next }))) return;
  throw new Fault(
    'HISTORY_REWRITTEN',
    `Cannot publish ${next.slice(0, 12)}: it does not descend from ${published.slice(0, 12)}, which is published`,
    {
      hint: 'Go back with "git revert", which keeps the history; if it was rewritten on purpose, run "boottorrent accept-history"',
      retry: 'stalled',
    },
  );
}

/** A commit that the repository does not know (any more) is nobody's ancestor. */
async function isAncestor(repository: Repository, { published, next }: Step): Promise<boolean> {
  const known = await runGit(repository, ['rev-parse', '--verify', '--quiet', `${published}^{commit}`], {
    accept: [0, 1, 128],
  });
  if (known.toString().trim() !== published) return false;
  const missing = await runGit(repository, ['rev-list', '--max-count=1', published, `^${next}`]);
  return missing.length === 0;
}
