import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** A site with one image of two small files, whose bundle needs no tools. */
export function writeSmallSite(folder: string, config: Readonly<Record<string, unknown>> = {}): void {
  const site = { site: 'small', network: { interface: 'eth1', dhcp: { mode: 'off' } }, menu: { default: 'tiny' } };
  const files: Readonly<Record<string, string>> = {
    'boot.config.yaml': JSON.stringify({ ...site, ...config }),
    'images/tiny/image.yaml':
      'title: Tiny\narch: amd64\nmethod: kexec\nsource: { files: { kernel: kernel, initrd: initrd } }\n',
    'images/tiny/kernel': 'kernel',
    'images/tiny/initrd': 'initrd',
    '.gitignore': '.boottorrent/\n',
  };
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
}
