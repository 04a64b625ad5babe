import type { Release, TorrentRef } from '#bundle/catalog.ts';
import { formatManifest, type Manifest, type ManifestFile, swarmFiles } from '#bundle/manifest.ts';
import { bundleMemoryBytes } from '#bundle/memory.ts';
import type { SourceFile } from './source/source.ts';
import type { Store } from './store/store.ts';
import { makeTorrent } from './torrent.ts';

export interface Contents extends Omit<Manifest, 'files' | 'format' | 'memoryBytes'> {
  readonly files: readonly SourceFile[];
  /** With an image: RAM that its running system asks for. */
  readonly systemBytes?: number;
}

/**
 * Takes built files into the store and makes a bundle of them: manifest and torrent. The same files are the same
 * bundle, byte for byte.
 */
export async function packBundle(store: Store, contents: Contents): Promise<Release> {
  const { files: sources, systemBytes = 0, ...about } = contents;
  const files: ManifestFile[] = [];
  for (const { name, role, path } of sources) {
    const { digest, sizeBytes } = await store.putFile(path);
    files.push({ name, role, sizeBytes, sha256: digest });
  }
  const filesBytes = sizeOf(files);
  const memoryBytes = about.method && bundleMemoryBytes(about.method, { filesBytes, systemBytes });
  const manifest: Manifest = { format: 1, ...about, ...(memoryBytes !== undefined && { memoryBytes }), files };
  const shared = swarmFiles(manifest);
  return {
    name: about.name,
    arch: about.arch,
    manifest: await store.putBytes(Buffer.from(formatManifest(manifest))),
    sizeBytes: sizeOf(shared),
    ...(shared.length > 0 && { torrent: await putTorrent(store, about.name, shared) }),
  };
}

async function putTorrent(store: Store, name: string, files: readonly ManifestFile[]): Promise<TorrentRef> {
  const torrent = await makeTorrent(
    name,
    files.map((file) => ({ name: file.name, sizeBytes: file.sizeBytes, path: store.blobPath(file.sha256) })),
  );
  return { ...(await store.putBytes(torrent.bytes)), infoHash: torrent.infoHash };
}

function sizeOf(files: readonly ManifestFile[]): number {
  return files.reduce((sum, file) => sum + file.sizeBytes, 0);
}
