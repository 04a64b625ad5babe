import { createCipheriv } from 'node:crypto';
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseCatalog } from '#bundle/catalog.ts';
import { Fault } from '#bundle/fault.ts';
import { filesOf, parseManifest } from '#bundle/manifest.ts';
import { makeSquashfs } from '#pipeline/source/squashfs.ts';
import { openToolRoot } from '#pipeline/source/tool-root.ts';
import { openStore } from '#store/local.ts';
import type { TestSite } from './test-site.ts';

/** Beside Debian, so that both are 300 MB. Always the same bytes: the store keeps them once. */
const ballastBytes = 264_000_000;

/**
 * Two images for a test of memory: `large`, Debian below a layer of 264 MB that nothing compresses, by switch-root
 * without kernel modules; and `too-large`, which asks for 64 GiB.
 * @param statePath of a lab that has published the image `debian`
 */
export async function writeLargeImages(site: TestSite, statePath: string): Promise<void> {
  const debian = await publishedRoot(statePath, 'debian');
  const ballast = join(statePath, 'ballast');
  mkdirSync(join(ballast, 'tree'), { recursive: true });
  writeFileSync(join(ballast, 'tree/ballast'), incompressible(ballastBytes));
  const toolRoot = await openToolRoot({ cachePath: join(statePath, 'tools') });
  const layer = join(ballast, 'layer.squashfs');
  await makeSquashfs(toolRoot, join(ballast, 'tree'), layer, { compression: 'none' });
  writeImage(site, 'large', { memory: '96M', layers: [debian, layer] });
  writeImage(site, 'too-large', { memory: '64G', layers: [debian] });
}

function writeImage(site: TestSite, name: string, image: { memory: string; layers: readonly string[] }): void {
  const names = image.layers.map((_, index) => `layer${index}.squashfs`);
  site.write(
    `images/${name}/image.yaml`,
    `title: ${name}\narch: amd64\nmethod: switch-root\nswitch-root: { modules: none }\nmemory: ${image.memory}\n` +
      `source: { files: { rootfs: [${names.join(', ')}] } }\n`,
  );
  for (const [index, path] of image.layers.entries()) {
    copyFileSync(path, join(site.path, 'images', name, names[index] ?? ''));
  }
}

function incompressible(sizeBytes: number): Buffer {
  return createCipheriv('aes-128-ctr', Buffer.alloc(16), Buffer.alloc(16)).update(Buffer.alloc(sizeBytes));
}

/** Where the store has the root filesystem of an image. */
async function publishedRoot(statePath: string, name: string): Promise<string> {
  const store = await openStore(join(statePath, 'store'));
  const published = await store.readPublished();
  const catalog = published && parseCatalog((await store.readBlob(published.catalog, 2 ** 21)).toString());
  const image = catalog?.images.find((one) => one.name === name);
  const manifest = image && parseManifest((await store.readBlob(image.manifest.digest, 2 ** 20)).toString());
  const root = manifest && filesOf(manifest, 'rootfs')[0];
  if (!root) throw new Fault('IMAGE_UNKNOWN', `Cannot find the root filesystem of ${name}: it is not published`);
  return store.blobPath(root.sha256);
}
