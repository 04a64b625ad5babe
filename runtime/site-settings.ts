import { dirname, relative, resolve } from 'node:path';
import type { Revision } from '#bundle/digest.ts';
import { readSite } from '#definition/read-site.ts';
import { revisionFiles } from '#definition/revision-files.ts';
import type { Site } from '#definition/site.ts';
import type { SiteOverlay } from '#definition/site-overlay.ts';

/** Where the text of a served commit is. */
export interface CommitPlace {
  /** The bare mirror. */
  readonly repository: string;
  /** Where `boot.config.yaml` is in it: `''`, or a path that ends in a slash. */
  readonly folder: string;
}

/** The folder of a configuration file in its repository, as {@link CommitPlace} wants it. */
export function folderIn(repositoryPath: string, configPath: string): string {
  const path = relative(repositoryPath, dirname(resolve(configPath)));
  return path === '' || path.startsWith('..') ? '' : `${path}/`;
}

/** The site as a commit has it; undefined where it cannot be read, which the builder would have refused. */
export async function readCommitSite(
  { repository, folder }: CommitPlace,
  revision: Revision,
  overlay: SiteOverlay | undefined,
): Promise<Site | undefined> {
  const files = await revisionFiles(repository, { revision, folder });
  try {
    const text = (await files.read('boot.config.yaml', 256 * 1024)).toString('utf8');
    return readSite('boot.config.yaml', text, overlay).value;
  } finally {
    await files.close();
  }
}

/** Settings that come from the file on disk at start, in which a commit may differ without effect until a restart. */
export function needsRestart(started: Site, commit: Site): readonly string[] {
  const fixed: Readonly<Record<string, (site: Site) => unknown>> = {
    git: (site) => site.git,
    store: (site) => site.store,
    build: (site) => site.build,
    trust: (site) => site.trust,
    'network.interface': (site) => site.network.interface,
    'network.address': (site) => site.network.address,
    'network.http': (site) => site.network.http,
    'network.status': (site) => site.network.status,
    'network.dhcp.mode': (site) => site.network.dhcp.mode === 'off',
  };
  const differs = (of: (site: Site) => unknown) => JSON.stringify(of(started)) !== JSON.stringify(of(commit));
  return Object.entries(fixed).flatMap(([key, of]) => (differs(of) ? [key] : []));
}
