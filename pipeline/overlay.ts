import { pack } from 'tar-stream';
import { overlayLimitBytes } from '#definition/definitions.ts';
import type { DefinitionFiles } from '#definition/files.ts';

/**
 * A tar of `images/<name>/overlay/`: root owns everything, modes are those that git knows (644 and 755), dates are
 * zero. Folders are not in it, so that laying it over a root filesystem leaves the modes of those that exist.
 * The same files are the same bytes.
 * @returns undefined where there is no overlay
 */
export async function overlayTar(files: DefinitionFiles, name: string): Promise<Uint8Array | undefined> {
  const prefix = `images/${name}/overlay/`;
  const entries = await files.list(prefix);
  if (entries.length === 0) return undefined;
  const tar = pack();
  const chunks: Buffer[] = [];
  const collected = (async () => {
    for await (const chunk of tar) chunks.push(chunk as Buffer);
  })();
  for (const { path, kind } of entries) {
    const bytes = await files.read(path, overlayLimitBytes);
    const mode = kind === 'executable' ? 0o755 : 0o644;
    const owner = { uid: 0, gid: 0, uname: 'root', gname: 'root' };
    tar.entry({ name: path.slice(prefix.length), mode, mtime: new Date(0), type: 'file', ...owner }, bytes);
  }
  tar.finalize();
  await collected;
  return Buffer.concat(chunks);
}
