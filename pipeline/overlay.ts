import { pack } from 'tar-stream';
import { overlayLimitBytes } from '#definition/definitions.ts';
import type { DefinitionFiles, FileEntry } from '#definition/files.ts';
import type { ImageDefinition } from '#definition/image.ts';
import { expandTemplate, templateEnding } from '#definition/template.ts';

/**
 * A tar of `images/<name>/overlay/`: root owns everything, modes are those that git knows (644 and 755), dates are
 * zero. Folders are not in it, so that laying it over a root filesystem leaves the modes of those that exist.
 * Templates (`*.tmpl`) have their values in them, and lose the ending. The same files are the same bytes.
 * @returns undefined where there is no overlay
 */
export async function overlayTar(files: DefinitionFiles, { name, values }: Overlaid): Promise<Uint8Array | undefined> {
  const prefix = overlayPrefix(name);
  const entries = await files.list(prefix);
  if (entries.length === 0) return undefined;
  const tar = pack();
  const chunks: Buffer[] = [];
  const collected = (async () => {
    for await (const chunk of tar) chunks.push(chunk as Buffer);
  })();
  for (const { path, kind } of entries) {
    const bytes = await files.read(path, overlayLimitBytes);
    const own = path.slice(prefix.length);
    if (!isTemplate(own)) tar.entry({ name: own, ...header(kind) }, bytes);
    else {
      const { text } = expandTemplate(bytes.toString('utf8'), values);
      tar.entry({ name: own.slice(0, -templateEnding.length), ...header(kind) }, Buffer.from(text));
    }
  }
  tar.finalize();
  await collected;
  return Buffer.concat(chunks);
}

/**
 * A text that is the same exactly when the tar is: paths, modes and contents by their names in git, none of it read.
 * @returns undefined where there is no overlay
 */
export async function overlayInputs(files: DefinitionFiles, { name, values }: Overlaid): Promise<string | undefined> {
  const prefix = overlayPrefix(name);
  const entries = await files.list(prefix);
  if (entries.length === 0) return undefined;
  const inputs: unknown[] = [];
  for (const { path, kind } of entries) {
    inputs.push([path.slice(prefix.length), header(kind), await files.contentId(path)]);
  }
  if (entries.some(({ path }) => isTemplate(path))) inputs.push(['values', Object.entries(values).toSorted()]);
  return JSON.stringify(inputs);
}

/** What of an image an overlay depends on. */
type Overlaid = Pick<ImageDefinition, 'name' | 'values'>;

function isTemplate(path: string): boolean {
  return path.endsWith(templateEnding);
}

function overlayPrefix(name: string): string {
  return `images/${name}/overlay/`;
}

function header(kind: FileEntry['kind']) {
  const mode = kind === 'executable' ? 0o755 : 0o644;
  return { mode, mtime: new Date(0), type: 'file', uid: 0, gid: 0, uname: 'root', gname: 'root' } as const;
}
