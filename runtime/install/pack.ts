import { cp, glob, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { transform } from 'rolldown/utils';
import { bundleAgent } from '#bootstrap/bundle-agent.ts';

/**
 * What `npm pack` runs: the whole program as JavaScript in `dist`, because Node strips no types below node_modules.
 * The folders stay as they are, so that every file finds what is beside it.
 */
const root = fileURLToPath(new URL('../..', import.meta.url));
const target = join(root, 'dist');
const sources = '{pipeline,runtime,bootstrap}/**/*';
const isLeftOut = (path: string) =>
  /(^|\/)(testdata|sweep)(\/|$)|\.(test|bench)\.ts$|\.d\.ts$|\.md$|^runtime\/install\/pack\.ts$/.test(path);

await rm(target, { recursive: true, force: true });
for await (const entry of glob(sources, { cwd: root, withFileTypes: true })) {
  const path = join(entry.parentPath, entry.name).slice(root.length);
  if (!entry.isFile() || isLeftOut(path)) continue;
  if (path.endsWith('.ts')) await compile(path);
  else await copy(path);
}
await copyTemplates();
await write('bootstrap/agent.js', await bundleAgent());
await write('package.json', await packageScope());

async function compile(path: string): Promise<void> {
  const text = await readFile(join(root, path), 'utf8');
  const { code, errors } = await transform(path, text, { typescript: { rewriteImportExtensions: 'rewrite' } });
  if (errors.length > 0) throw new Error(`Cannot compile ${path}: ${errors.map(String).join('\n')}`);
  await write(path.replace(/\.ts$/, '.js'), code);
}

/** What `boottorrent init` copies into a site. */
async function copyTemplates(): Promise<void> {
  for await (const path of glob('{images/debian/**/*,.github/workflows/images.yml}', { cwd: root })) await copy(path);
}

/** Folders below `dist` are the ones that `#bundle/…` and the others stand for. */
async function packageScope(): Promise<string> {
  const { name, version, imports } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'));
  return `${JSON.stringify({ name, version, type: 'module', imports }, null, 2)}\n`;
}

async function write(path: string, text: string): Promise<void> {
  const to = join(target, path);
  await mkdir(dirname(to), { recursive: true });
  await writeFile(to, text);
}

async function copy(path: string): Promise<void> {
  await cp(join(root, path), join(target, path), { recursive: true });
}
