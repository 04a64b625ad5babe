import type { Release } from '#bundle/catalog.ts';
import { formatManifest, type Manifest, type ManifestFile, type Role } from '#bundle/manifest.ts';
import type { SourceFile } from './source/source.ts';
import type { Store } from './store/store.ts';
import { makeTorrent } from './torrent.ts';

export interface Contents extends Omit<Manifest, 'files' | 'format'> {
  readonly files: readonly SourceFile[];
  /** What goes through the swarm; the rest is only fetched by HTTP or TFTP. Default: every file. */
  readonly swarmRoles?: readonly Role[];
}

/**
 * Takes built files into the store and makes a bundle of them: manifest and torrent. The same files are the same
 * bundle, byte for byte.
 */
export async function packBundle(store: Store, contents: Contents): Promise<Release> {
  const { files: sources, swarmRoles, ...about } = contents;
  const files: ManifestFile[] = [];
  for (const { name, role, path } of sources) {
    const { digest, sizeBytes } = await store.putFile(path);
    files.push({ name, role, sizeBytes, sha256: digest });
  }
  const manifest = await store.putBytes(Buffer.from(formatManifest({ format: 1, ...about, files })));
  const shared = files.filter((file) => swarmRoles?.includes(file.role) ?? true);
  const torrent = await makeTorrent(
    about.name,
    shared.map(({ name, sizeBytes, sha256 }) => ({ name, sizeBytes, path: store.blobPath(sha256) })),
  );
  return {
    name: about.name,
    arch: about.arch,
    manifest,
    sizeBytes: shared.reduce((sum, file) => sum + file.sizeBytes, 0),
    torrent: { ...(await store.putBytes(torrent.bytes)), infoHash: torrent.infoHash },
  };
}
