import { stat } from 'node:fs/promises';
import type { Release } from '#bundle/catalog.ts';
import { Fault } from '#bundle/fault.ts';
import { formatManifest, type Manifest, type ManifestFile } from '#bundle/manifest.ts';
import { bundleMemoryBytes } from '#bundle/memory.ts';
import { type LaidFile, layOut } from './layout.ts';
import { openPieceHasher, type PieceHasher } from './piece-hasher.ts';
import type { SourceFile } from './source/source.ts';
import type { Store } from './store/store.ts';
import { makeTorrent } from './torrent.ts';

export interface Contents extends Omit<Manifest, 'files' | 'format' | 'memoryBytes'> {
  readonly files: readonly SourceFile[];
  /** With an image: RAM that its running system asks for. */
  readonly systemBytes?: number;
}

/**
 * Takes built files into the store and makes a bundle of them: manifest and torrent. Each byte is read once, for all its
 * hashes. The same files are the same bundle, byte for byte.
 * @throws Fault `BLOB_NOT_A_FILE`, `FILE_CHANGED`, `TORRENT_INVALID`
 */
export async function packBundle(store: Store, contents: Contents): Promise<Release> {
  const { files: sources, systemBytes = 0, ...about } = contents;
  const { files, torrent } =
    about.kind === 'bootstrap'
      ? { files: await putFiles(store, sources) }
      : await putLaidOut(store, about.name, sources);
  const filesBytes = sizeOf(files);
  const memoryBytes = about.method && bundleMemoryBytes(about.method, { filesBytes, systemBytes });
  const manifest: Manifest = { format: 1, ...about, ...(memoryBytes !== undefined && { memoryBytes }), files };
  return {
    name: about.name,
    arch: about.arch,
    manifest: await store.putBytes(Buffer.from(formatManifest(manifest))),
    sizeBytes: about.kind === 'bootstrap' ? 0 : filesBytes,
    ...(torrent && { torrent: { ...(await store.putBytes(torrent.bytes)), infoHash: torrent.infoHash } }),
  };
}

/** Firmware fetches them: they are in no torrent. */
async function putFiles(store: Store, sources: readonly SourceFile[]): Promise<readonly ManifestFile[]> {
  const files: ManifestFile[] = [];
  for (const { name, role, path } of sources) {
    const { digest, sizeBytes } = await store.putFile(path);
    files.push({ name, role, sizeBytes, sha256: digest });
  }
  return files;
}

async function putLaidOut(store: Store, name: string, sources: readonly SourceFile[]) {
  const sized = await Promise.all(sources.map(async (file) => ({ ...file, sizeBytes: (await stat(file.path)).size })));
  const { pieceLengthBytes, files: laid } = layOut(sized);
  const pieces = openPieceHasher(pieceLengthBytes);
  const byName = new Map(sources.map((file) => [file.name, file]));
  const files: ManifestFile[] = [];
  for (const file of laid) files.push(await putLaid(store, file, { source: byName.get(file.name), pieces }));
  if (files.length === 0) return { files };
  return { files, torrent: makeTorrent({ name, pieceLengthBytes, files, pieces: pieces.digest() }) };
}

async function putLaid(
  store: Store,
  { name, kind, sizeBytes }: LaidFile,
  { source, pieces }: { readonly source: SourceFile | undefined; readonly pieces: PieceHasher },
): Promise<ManifestFile> {
  if (kind === 'pad' || !source) {
    const zeros = new Uint8Array(sizeBytes);
    pieces.update(zeros);
    return { name, role: 'pad', sizeBytes, sha256: (await store.putBytes(zeros)).digest };
  }
  const { digest, sizeBytes: foundBytes } = await store.putFile(source.path, { onChunk: pieces.update });
  if (foundBytes === sizeBytes) return { name, role: source.role, sizeBytes, sha256: digest };
  throw new Fault('FILE_CHANGED', `Cannot pack ${name}: it had ${sizeBytes} bytes, and then ${foundBytes}`, {
    hint: 'Something else writes to the files of this build: end it, and build again',
  });
}

function sizeOf(files: readonly ManifestFile[]): number {
  return files.reduce((sum, file) => sum + file.sizeBytes, 0);
}
