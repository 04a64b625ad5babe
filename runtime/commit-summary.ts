import type { Revision } from '#bundle/digest.ts';
import { Fault } from '#bundle/fault.ts';
import { runGit } from '#definition/git.ts';
import { parseCommit } from './history/commit.ts';
import type { CommitSummary } from './history/event.ts';

const limitBytes = 1024 * 1024;

/** Who made a commit and what for; undefined where the mirror does not have it. */
export async function readCommitSummary(repository: string, revision: Revision): Promise<CommitSummary | undefined> {
  try {
    return parseCommit((await runGit(repository, ['cat-file', 'commit', revision], { limitBytes })).toString());
  } catch (error) {
    if (error instanceof Fault) return undefined;
    throw error;
  }
}
