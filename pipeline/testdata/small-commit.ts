import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Revision, parseRevision } from '#bundle/digest.ts';
import type { SecretKey } from '#bundle/signature.ts';
import { readImage } from '#definition/read-image.ts';
import { readSite } from '#definition/read-site.ts';
import type { Published, Store } from '#store/store.ts';
import { imageRelease } from '../build.ts';
import { packBundle } from '../pack.ts';
import { publish } from '../publish.ts';

/** A commit's revision made of one digit. */
export function revisionOf(digit: string): Revision {
  return parseRevision(digit.repeat(40));
}

/** Publishes a commit with one image of two small files, which needs no tools. */
export async function publishSmall(
  store: Store,
  {
    revision,
    key,
    content,
    ...more
  }: { revision: Revision; key: SecretKey; content: string; nowMs?: number; elsewhere?: Published; site?: string },
): Promise<Published> {
  const { nowMs = Date.now(), elsewhere, site: siteName = 'lab' } = more;
  const siteText = `site: ${siteName}\nnetwork: { interface: a, dhcp: { mode: off } }\nmenu: { default: demo }\n`;
  const site = readSite('site', siteText).value;
  const files = 'kernel: a, initrd: b';
  const text = `title: Demo\narch: amd64\nmethod: kexec\nsource: { files: { ${files} } }\n`;
  const image = readImage('image', { name: 'demo', text }).value;
  if (!site || !image) throw new TypeError('the definitions are sound');
  const work = await store.workDirectory();
  for (const name of ['a', 'b']) await writeFile(join(work, name), `${name} ${name === 'b' ? content : ''}`.repeat(20_000));
  const sources = [
    { name: 'a', role: 'kernel', path: join(work, 'a') },
    { name: 'b', role: 'initrd', path: join(work, 'b') },
  ] as const;
  const release = await packBundle(store, { kind: 'image', name: 'demo', arch: 'amd64', method: 'kexec', files: sources });
  const { published } = await publish({
    definitions: { site, images: [image] },
    commit: { revision, committedAt: new Date(0).toISOString() },
    ...{ bootstraps: [], parts: [], images: [imageRelease(image, release, 0)] },
    ...{ store, key, nowMs, ...(elsewhere && { elsewhere }) },
  });
  return published;
}
