import { admitCommit } from '#definition/admission.ts';
import type { Store } from '#store/store.ts';
import type { Source } from './builder.ts';

/**
 * Makes sure that a commit may take the place of the published one. What lies in a directory is nobody's successor.
 * @throws Fault `SUSPENDED`, `HISTORY_REWRITTEN`
 */
export async function admitNext(
  { source, store }: { readonly source: Source; readonly store: Store },
  flags: { readonly acceptHistory?: boolean },
): Promise<void> {
  const { repository, commit, definitions } = source;
  if (repository === undefined) return;
  const published = (await store.readPublished())?.revision;
  await admitCommit({
    ...{ repository, next: commit.revision, site: definitions.site, acceptsHistory: flags.acceptHistory ?? false },
    ...(published !== undefined && { published }),
  });
}
