import { randomBytes } from 'node:crypto';
import { goodSite, type RawRepository } from './raw-repository.ts';

export interface Hostile {
  readonly name: string;
  /** The one that is followed. Default: main */
  readonly branch?: string;
  /** @param canary a command that leaves a trace where it is run @returns the revision that must be read, where it is harmless */
  readonly make: (repository: RawRepository, canary: string) => string | undefined;
  /** Codes of which one must come; absent: it is harmless, and taken. */
  readonly refused?: readonly string[];
}

const link = (repository: RawRepository, to: string) => ({ mode: '120000', id: repository.blob(to) });
const many = <T>(count: number, of: (index: number) => T) => Array.from({ length: count }, (_, index) => of(index));

const links: readonly Hostile[] = [
  {
    name: 'boot.config.yaml is a symbolic link',
    make: (r) => r.publish(goodSite({ top: { 'boot.config.yaml': link(r, '/etc/passwd') } })),
    refused: ['FILE_MISSING'],
  },
  {
    name: 'an image.yaml is a symbolic link',
    make: (r) => r.publish(goodSite({ images: { other: { 'image.yaml': link(r, '../../../../etc/passwd') } } })),
    refused: ['FILE_MISSING'],
  },
  {
    name: 'an overlay holds a link out of it',
    make: (r) => r.publish(goodSite({ overlay: { etc: link(r, '../../../../../../etc') } })),
    refused: ['SYMLINK_REFUSED'],
  },
  {
    name: 'images is a symbolic link',
    make: (r) => r.publish({ ...goodSite(), images: link(r, '/etc') }),
    refused: ['IMAGE_UNKNOWN'],
  },
  {
    name: 'a submodule by ext::',
    make: (r, canary) =>
      r.publish(
        goodSite({
          top: { '.gitmodules': `[submodule "a"]\n\tpath = images/tiny/overlay/a\n\turl = ext::sh -c ${JSON.stringify(canary)}\n` },
          overlay: { a: { mode: '160000', id: 'a'.repeat(40) } },
        }),
      ),
    refused: ['SYMLINK_REFUSED', 'GIT_REFUSED'],
  },
  {
    name: '.gitmodules with an option for an address',
    make: (r) => r.publish(goodSite({ top: { '.gitmodules': '[submodule "a"]\n\tpath = a\n\turl = --upload-pack=touch\n' } })),
    refused: ['GIT_REFUSED'],
  },
  {
    name: '.gitmodules with a name that climbs',
    make: (r) => r.publish(goodSite({ top: { '.gitmodules': '[submodule "../../hooks"]\n\tpath = a\n\turl = https://a.example\n' } })),
    refused: ['GIT_REFUSED'],
  },
  {
    name: '.gitmodules is a symbolic link',
    make: (r) => r.publish(goodSite({ top: { '.gitmodules': link(r, '/etc/passwd') } })),
    refused: ['GIT_REFUSED'],
  },
];

const names: readonly Hostile[] = [
  ...['.git', '.GIT', 'GIT~1', '.g\u200cit', '..', '.', 'a/../../b'].map(
    (name): Hostile => ({
      name: `a tree with an entry ${JSON.stringify(name)}`,
      make: (r) => r.publish(goodSite({ overlay: { [name]: { mode: '40000', id: r.folder({ hooks: { 'post-checkout': 'x' } }) } } })),
      refused: ['GIT_REFUSED'],
    }),
  ),
  {
    name: 'an entry without a name',
    make: (r) => r.publish(goodSite({ overlay: { '': 'x' } })),
    refused: ['GIT_REFUSED', 'GIT_UNREACHABLE'],
  },
  {
    name: 'two entries of one name',
    make: (r) => {
      const entry = { mode: '100644', name: 'boot.config.yaml', id: r.blob('site: other\n') };
      const id = r.commit(r.tree([entry, { ...entry, id: r.blob('site: lab\n') }]));
      r.ref('refs/heads/main', id);
      return id;
    },
    refused: ['GIT_REFUSED'],
  },
  {
    name: 'a tree out of order',
    make: (r) => {
      const id = r.blob('x');
      const commit = r.commit(r.tree([{ mode: '100644', name: 'b', id }, { mode: '100644', name: 'a', id }]));
      r.ref('refs/heads/main', commit);
      return commit;
    },
    refused: ['GIT_REFUSED'],
  },
  {
    name: 'names with backslashes and drive letters',
    make: (r) => r.publish(goodSite({ overlay: { '..\\..\\evil': 'x', 'C:\\x': 'y', 'C:evil': 'z' } })),
  },
  {
    name: 'folders that differ in case only',
    make: (r) => r.publish(goodSite({ images: { TINY: { 'image.yaml': 'title: X\n' } } })),
    refused: ['NAME_INVALID'],
  },
  {
    name: 'the site in another case',
    make: (r) => {
      const { 'boot.config.yaml': text = '', ...rest } = goodSite();
      return r.publish({ ...rest, 'Boot.Config.yaml': text });
    },
    refused: ['FILE_MISSING'],
  },
  {
    name: 'a folder named by terminal control codes',
    make: (r) => r.publish(goodSite({ images: { '\x1b]0;owned\x07\x1b[2J': { 'image.yaml': 'title: X\n' } } })),
    refused: ['NAME_INVALID'],
  },
  {
    name: 'a folder named like an option',
    make: (r) => r.publish(goodSite({ images: { '--output=x': { 'image.yaml': 'title: X\n' } } })),
    refused: ['NAME_INVALID'],
  },
  {
    name: 'a name of 5000 characters',
    make: (r) => r.publish(goodSite({ images: { ['a'.repeat(5000)]: { 'image.yaml': 'title: X\n' } } })),
    refused: ['NAME_INVALID'],
  },
  {
    name: 'a name that is no UTF-8',
    make: (r) => {
      const overlay = r.tree([{ mode: '100644', name: Buffer.from([0x61, 0xff, 0xfe]), id: r.blob('x') }]);
      return r.publish(goodSite({ overlay: { sub: { mode: '40000', id: overlay } } }));
    },
  },
];

const sizes: readonly Hostile[] = [
  {
    name: 'a tree of ten thousand million files in a few kilobytes',
    make: (r) => {
      let id = r.folder(Object.fromEntries(many(10, (n) => [`f${n}`, 'x'])));
      for (let level = 0; level < 9; level++) {
        const below = { mode: '40000', id };
        id = r.folder(Object.fromEntries(many(10, (n) => [`d${n}`, below])));
      }
      return r.publish(goodSite({ overlay: { deep: { mode: '40000', id } } }));
    },
    refused: ['FILES_TOO_MANY'],
  },
  {
    name: 'a folder of 101,000 files',
    make: (r) => {
      const id = r.blob('x');
      const entries = many(101_000, (n) => ({ mode: '100644', name: String(n).padStart(6, '0'), id }));
      return r.publish(goodSite({ overlay: { wide: { mode: '40000', id: r.tree(entries) } } }));
    },
    refused: ['FILES_TOO_MANY'],
  },
  {
    name: 'folders 3000 deep',
    make: (r) => {
      let id = r.folder({ file: 'x' });
      for (let level = 0; level < 3000; level++) id = r.tree([{ mode: '40000', name: 'd', id }]);
      return r.publish(goodSite({ overlay: { deep: { mode: '40000', id } } }));
    },
    refused: ['PATH_TOO_LONG'],
  },
  {
    name: 'a site file of 20 MB in 20 kB',
    make: (r) => r.publish(goodSite({ top: { 'boot.config.yaml': { mode: '100644', id: r.blob(Buffer.alloc(20e6, "#")) } } })),
    refused: ['FILE_TOO_LARGE'],
  },
  {
    name: 'an overlay that unfolds to 70 MB',
    make: (r) => r.publish(goodSite({ overlay: { big: { mode: '100644', id: r.blob(Buffer.alloc(70e6)) } } })),
    refused: ['OVERLAY_TOO_LARGE'],
  },
  {
    name: 'more than a fetch may bring',
    make: (r) => r.publish(goodSite({ top: { big: { mode: '100644', id: r.blob(randomBytes(24e6)) } } })),
    refused: ['GIT_TOO_LARGE'],
  },
  {
    name: 'a document that multiplies itself',
    make: (r) => {
      const rows = many(9, (n) => `a${n}: &a${n} [${many(9, () => (n ? `*a${n - 1}` : 'x')).join(', ')}]`);
      return r.publish(goodSite({ top: { 'boot.config.yaml': `${rows.join('\n')}\n` } }));
    },
    refused: ['YAML_INVALID', 'YAML_ALIASES', 'KEY_UNKNOWN', 'ALIASES_TOO_MANY'],
  },
  {
    name: 'a site file of UTF-16',
    make: (r) => {
      const id = r.blob(Buffer.from('\ufeffsite: lab\n', 'utf16le'));
      return r.publish(goodSite({ top: { 'boot.config.yaml': { mode: '100644', id } } }));
    },
    refused: ['VALUE_INVALID'],
  },
  {
    name: '4000 refs',
    make: (r) => {
      const id = r.publish(goodSite());
      r.file('packed-refs', many(4000, (n) => `${id} refs/heads/x${String(n).padStart(5, '0')}\n`).join(''));
      return id;
    },
  },
];

const commits: readonly Hostile[] = [
  {
    name: 'a commit whose tree is missing',
    make: (r) => {
      r.ref('refs/heads/main', r.commit('b'.repeat(40)));
      return undefined;
    },
    refused: ['GIT_UNREACHABLE', 'GIT_REFUSED'],
  },
  {
    name: 'a commit without a tree',
    make: (r) => {
      r.ref('refs/heads/main', r.commit('', { text: 'author a <a> 1 +0000\n\nx\n' }));
      return undefined;
    },
    refused: ['GIT_UNREACHABLE', 'GIT_REFUSED'],
  },
  {
    name: 'a commit with a zero byte in its head',
    make: (r) => {
      const text = `tree ${r.folder(goodSite())}\nauthor a\0b <a> 1 +0000\ncommitter a <a> 1 +0000\n\nx\n`;
      r.ref('refs/heads/main', r.commit('', { text }));
      return undefined;
    },
    refused: ['GIT_REFUSED'],
  },
  {
    name: 'a commit of the year 300,000,000,000',
    make: (r) => {
      const text = `tree ${r.folder(goodSite())}\nauthor a <a> 99999999999999999999 +0000\ncommitter a <a> 99999999999999999999 +0000\n\nx\n`;
      r.ref('refs/heads/main', r.commit('', { text }));
      return undefined;
    },
    refused: ['GIT_REFUSED'],
  },
  {
    name: 'a branch that is a file',
    make: (r) => {
      r.ref('refs/heads/main', r.blob('x'));
      return undefined;
    },
    refused: ['GIT_REFUSED', 'GIT_UNREACHABLE'],
  },
  {
    name: 'a branch that is a tag of a file',
    make: (r) => {
      const tag = `object ${r.blob('x')}\ntype blob\ntag v1\ntagger a <a@b> 1 +0000\n\nx\n`;
      r.ref('refs/heads/main', r.object('tag', tag));
      return undefined;
    },
    refused: ['GIT_REFUSED', 'GIT_UNREACHABLE'],
  },
  {
    name: 'an object that is not what its name says',
    make: (r) => {
      const id = r.blob('honest');
      const other = r.blob('other');
      r.publish(goodSite({ overlay: { file: { mode: '100644', id } } }));
      r.file(`objects/${id.slice(0, 2)}/${id.slice(2)}`, r.bytesOf(other));
      return undefined;
    },
    refused: ['GIT_UNREACHABLE', 'GIT_REFUSED'],
  },
];

const repositories: readonly Hostile[] = [
  {
    name: 'hooks of every kind',
    make: (r, canary) => {
      const kinds = 'post-checkout post-merge post-update pre-auto-gc reference-transaction post-index-change update pre-receive';
      for (const kind of kinds.split(' ')) r.file(`hooks/${kind}`, `#!/bin/sh\n${canary}\n`, 0o755);
      return r.publish(goodSite());
    },
  },
  {
    name: 'a configuration that runs commands',
    make: (r, canary) => {
      const run = JSON.stringify(`sh -c '${canary}'`);
      r.file(
        'config',
        [
          '[core]\n\tbare = true\n\trepositoryformatversion = 0',
          ...['fsmonitor', 'sshCommand', 'pager', 'editor', 'gitProxy', 'alternateRefsCommand'].map((key) => `\t${key} = ${run}`),
          `[uploadpack]\n\tpackObjectsHook = ${run}`,
          `[diff]\n\texternal = ${run}`,
          `[gpg]\n\tprogram = ${run}`,
          `[log]\n\tshowSignature = true`,
        ].join('\n'),
      );
      return r.publish(goodSite());
    },
  },
  {
    name: 'attributes with filters and drivers, and a configuration that defines them',
    make: (r, canary) => {
      const run = JSON.stringify(`sh -c '${canary}; cat'`);
      const drivers = `[filter "x"]\n\tclean = ${run}\n\tsmudge = ${run}\n\tprocess = ${run}\n[diff "x"]\n\ttextconv = ${run}\n\tcommand = ${run}\n`;
      r.file('config', `[core]\n\tbare = true\n\trepositoryformatversion = 0\n${drivers}`);
      const attributes = '* filter=x diff=x merge=x ident text eol=crlf working-tree-encoding=UTF-16\n';
      r.file('info/attributes', attributes);
      return r.publish(goodSite({ top: { '.gitattributes': attributes } }));
    },
  },
  {
    name: 'missing objects, to be got by a command from a promisor',
    make: (r, canary) => {
      const promisor = `[remote "o"]\n\tpromisor = true\n\turl = ext::sh -c ${JSON.stringify(canary).replaceAll(' ', '% ')}\n`;
      const rest = '[extensions]\n\tpartialClone = o\n[protocol]\n\tallow = always\n[protocol "ext"]\n\tallow = always\n';
      r.file('config', `[core]\n\tbare = true\n\trepositoryformatversion = 1\n${promisor}${rest}`);
      r.publish(goodSite({ overlay: { gone: { mode: '100644', id: 'c'.repeat(40) } } }));
      return undefined;
    },
    refused: ['GIT_UNREACHABLE', 'GIT_REFUSED'],
  },
  {
    name: 'branches named like options',
    make: (r) => {
      const id = r.publish(goodSite());
      for (const name of ['--upload-pack=touch', '-f', '--exec', '$(touch x)']) r.ref(`refs/heads/${name}`, id);
      return id;
    },
  },
  {
    name: 'another ref that ends like the followed one',
    branch: 'trunk',
    make: (r) => {
      const evil = r.commit(r.folder({ 'boot.config.yaml': 'site: evil\n' }));
      r.ref('refs/heads/refs/heads/trunk', evil);
      const id = r.publish(goodSite());
      r.ref('refs/heads/trunk', id);
      return id;
    },
  },
  {
    name: 'a replacement for the commit',
    make: (r) => {
      const id = r.publish(goodSite());
      r.ref(`refs/replace/${id}`, r.commit(r.folder({ 'boot.config.yaml': 'site: evil\n' })));
      return id;
    },
  },
  {
    name: 'grafts to a commit that is not there',
    make: (r) => {
      const id = r.publish(goodSite());
      r.file('info/grafts', `${id} ${'d'.repeat(40)}\n`);
      return undefined;
    },
    refused: ['GIT_UNREACHABLE'],
  },
  {
    name: 'a HEAD that climbs',
    make: (r) => {
      r.publish(goodSite());
      r.file('HEAD', 'ref: ../../../../../etc/passwd\n');
      return undefined;
    },
    refused: ['GIT_UNREACHABLE'],
  },
  {
    name: 'refs that go round in a circle',
    make: (r) => {
      r.publish(goodSite());
      r.file('refs/heads/main', 'ref: refs/heads/other\n');
      r.file('refs/heads/other', 'ref: refs/heads/main\n');
      return undefined;
    },
    refused: ['GIT_UNREACHABLE'],
  },
];

export const hostileRepositories: readonly Hostile[] = [...links, ...names, ...sizes, ...commits, ...repositories];
