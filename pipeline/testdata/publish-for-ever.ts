// Publishes one catalog after another until it is killed, and says a line for each. Started by publish.real.test.ts.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseRevision } from '#bundle/digest.ts';
import { readImage } from '#definition/read-image.ts';
import { readSite } from '#definition/read-site.ts';
import { openStore } from '#store/local.ts';
import { imageRelease } from '../build.ts';
import { packBundle } from '../pack.ts';
import { publish } from '../publish.ts';
import { openKeyPair } from '../sign.ts';

const [directory = ''] = process.argv.slice(2);
const store = await openStore(join(directory, 'store'));
const { key } = await openKeyPair(directory);
const site = readSite('site', 'site: lab\nnetwork: { interface: a, dhcp: { mode: off } }\nmenu: { default: demo }\n').value;
const files = 'kernel: a, initrd: b';
const text = `title: Demo\narch: amd64\nmethod: kexec\nsource: { files: { ${files} } }\n`;
const image = readImage('image', { name: 'demo', text }).value;
if (!site || !image) throw new TypeError('the definitions are sound');

for (let round = 0; ; round++) {
  const work = await store.workDirectory();
  for (const name of ['a', 'b']) await writeFile(join(work, name), `${name} ${process.pid} ${round}`);
  const sources = [
    { name: 'a', role: 'kernel', path: join(work, 'a') },
    { name: 'b', role: 'initrd', path: join(work, 'b') },
  ] as const;
  const release = await packBundle(store, { kind: 'image', name: 'demo', arch: 'amd64', method: 'kexec', files: sources });
  await publish({
    definitions: { site, images: [image] },
    commit: { revision: parseRevision('0'.repeat(40)), committedAt: new Date(0).toISOString() },
    bootstraps: [],
    parts: [],
    images: [imageRelease(image, release, 0)],
    store,
    key,
    nowMs: Date.now(),
  });
  process.stdout.write(`${round}\n`);
}
