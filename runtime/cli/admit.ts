import { dirname, resolve } from 'node:path';
import { admitCommit } from '#definition/admission.ts';
import type { SignaturePolicy } from '#definition/commit-signature.ts';
import type { Site } from '#definition/site.ts';
import type { Store } from '#store/store.ts';
import { findPlace, loadSiteHere, type PlaceFlags, type Source } from './builder.ts';

/**
 * Makes sure that a commit may take the place of the published one. What lies in a directory is nobody's successor.
 * @throws Fault `SUSPENDED`, `HISTORY_REWRITTEN`, `COMMIT_SIGNATURE_REFUSED`, `SIGNERS_UNREADABLE`
 */
export async function admitNext(
  { source, store }: { readonly source: Source; readonly store: Store },
  flags: PlaceFlags & { readonly acceptHistory?: boolean },
): Promise<void> {
  const { repository, commit, definitions } = source;
  if (repository === undefined) return;
  const place = await findPlace(flags);
  const here = (await loadSiteHere(place, flags)).site;
  const published = (await store.readPublished())?.revision;
  await admitCommit({
    ...{ repository, next: commit.revision, site: definitions.site, acceptsHistory: flags.acceptHistory ?? false },
    ...(published !== undefined && { published }),
    ...{ policy: signaturePolicy(here, place.configPath), nowMs: Date.now() },
  });
}

/** Which commits must be signed, by the file on this machine; its paths are from that file's folder. */
export function signaturePolicy({ git }: Site, configPath: string): SignaturePolicy {
  const at = (path: string) => resolve(dirname(configPath), path);
  return {
    verify: git.verify,
    ...(git.allowedSigners !== undefined && { allowedSigners: at(git.allowedSigners) }),
    ...(git.openpgpKeys !== undefined && { openpgpKeys: at(git.openpgpKeys) }),
  };
}
