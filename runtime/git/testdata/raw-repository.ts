import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { deflateSync } from 'node:zlib';
import { siteFiles } from '../../testdata/live-site.ts';

export interface RawEntry {
  /** Octal digits, as git writes them. */
  readonly mode: string;
  readonly name: string | Buffer;
  readonly id: string;
}

/** A bare repository written byte for byte, so that it can hold what git itself would not make. */
export class RawRepository {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
    for (const folder of ['objects', 'refs/heads', 'hooks', 'info']) mkdirSync(join(path, folder), { recursive: true });
    this.file('HEAD', 'ref: refs/heads/main\n');
    this.file('config', '[core]\n\trepositoryformatversion = 0\n\tbare = true\n');
  }

  file(name: string, text: string | Buffer, mode = 0o644): void {
    mkdirSync(dirname(join(this.path, name)), { recursive: true });
    writeFileSync(join(this.path, name), text, { mode });
  }

  object(type: string, content: string | Buffer): string {
    const body = Buffer.from(content);
    const bytes = Buffer.concat([Buffer.from(`${type} ${body.length}\0`), body]);
    const id = createHash('sha1').update(bytes).digest('hex');
    this.file(`objects/${id.slice(0, 2)}/${id.slice(2)}`, deflateSync(bytes, { level: 1 }));
    return id;
  }

  /** As it lies on the disk. */
  bytesOf(id: string): Buffer {
    return readFileSync(join(this.path, `objects/${id.slice(0, 2)}/${id.slice(2)}`));
  }

  blob(content: string | Buffer): string {
    return this.object('blob', content);
  }

  /** In just this order. */
  tree(entries: readonly RawEntry[]): string {
    const parts = entries.flatMap(({ mode, name, id }) => [
      Buffer.from(`${mode} `),
      Buffer.from(name),
      Buffer.from([0]),
      Buffer.from(id, 'hex'),
    ]);
    return this.object('tree', Buffer.concat(parts));
  }

  /** A tree of folders and files, sorted as git wants it; values may be entries made before. */
  folder(content: Folder): string {
    const entries = Object.entries(content).map(([name, value]): RawEntry => {
      if (typeof value === 'string') return { mode: '100644', name, id: this.blob(value) };
      if ('id' in value) return { name, ...(value as { mode: string; id: string }) };
      return { mode: '40000', name, id: this.folder(value as Folder) };
    });
    const key = ({ mode, name }: RawEntry) => `${name}${mode === '40000' ? '/' : ''}`;
    return this.tree(entries.toSorted((a, b) => Buffer.compare(Buffer.from(key(a)), Buffer.from(key(b)))));
  }

  commit(tree: string, more: { readonly parents?: readonly string[]; readonly text?: string | Buffer } = {}): string {
    const who = 'test <test@example.org> 1795000000 +0000';
    const parents = (more.parents ?? []).map((id) => `parent ${id}\n`).join('');
    return this.object('commit', more.text ?? `tree ${tree}\n${parents}author ${who}\ncommitter ${who}\n\nnext\n`);
  }

  ref(name: string, id: string): void {
    this.file(name, `${id}\n`);
  }

  /** Commits a folder to main. */
  publish(content: Folder): string {
    const id = this.commit(this.folder(content));
    this.ref('refs/heads/main', id);
    return id;
  }
}

export interface Folder {
  readonly [name: string]: string | Folder | { readonly mode: string; readonly id: string };
}

const filesImage = { 'image.yaml': siteFiles['images/tiny/image.yaml'], kernel: 'kernel', initrd: 'initrd' };
const treeImage = `title: Tiny
arch: amd64
method: switch-root
source: { debian: { suite: trixie, packages: [systemd-sysv] } }
`;

/** A good site, with more in the overlay of its image, and at its top. */
export function goodSite(more: { readonly top?: Folder; readonly overlay?: Folder; readonly images?: Folder } = {}): Folder {
  const tiny = {
    ...(more.overlay ? { 'image.yaml': treeImage } : filesImage),
    ...(more.overlay && { overlay: more.overlay }),
  };
  return { 'boot.config.yaml': siteFiles['boot.config.yaml'], images: { tiny, ...more.images }, ...more.top };
}
