// npm run bench:pipeline: packing against the tools by hand, publishing, planning, and the start of the runtime.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { measureColdStart } from './bench-cold-start.ts';
import { measurePacking } from './bench-pack.ts';
import { measurePublishing } from './bench-publish.ts';

const { values } = parseArgs({
  options: {
    /** Of the tree that is packed, in MiB. */
    size: { type: 'string', default: '4096' },
    images: { type: 'string', default: '50' },
    /** Where the room is: twice the size. */
    directory: { type: 'string', default: tmpdir() },
  },
});
const cachePath = fileURLToPath(new URL('../../.boottorrent-test/tools', import.meta.url));
const directory = await mkdtemp(join(values.directory, 'boottorrent-bench-'));
const images = Number(values.images);
const say = (line: string) => process.stdout.write(`${line}\n`);
const shown = (seconds: number) => `${seconds.toFixed(2)} s`;
try {
  const { ours, byHand, squashfsBytes, readRatio } = await measurePacking(
    directory,
    Number(values.size) * 2 ** 20,
    cachePath,
  );
  const sums = { ours: ours.squashfs + ours.bundle, byHand: byHand.squashfs + byHand.torrent };
  say(
    `| a tree of ${values.size} MiB (squashfs ${(squashfsBytes / 2 ** 20).toFixed(0)} MiB) | BootTorrent | by hand | ratio |`,
  );
  say('| --- | --- | --- | --- |');
  say(
    `| squashfs (mksquashfs) | ${shown(ours.squashfs)} | ${shown(byHand.squashfs)} | ${(ours.squashfs / byHand.squashfs).toFixed(2)} |`,
  );
  say(
    `| SHA-256, torrent, into the store (mktorrent) | ${shown(ours.bundle)} | ${shown(byHand.torrent)} | ${(ours.bundle / byHand.torrent).toFixed(2)} |`,
  );
  say(`| together | ${shown(sums.ours)} | ${shown(sums.byHand)} | ${(sums.ours / sums.byHand).toFixed(2)} |`);
  say(`\nThe squashfs was read ${readRatio.toFixed(2)} times for all its hashes.\n`);
  const times = await measurePublishing(directory, { images, largeBytes: 300_000_000 });
  say(`| ${images} images of 2 MB | seconds |`);
  say('| --- | --- |');
  say(`| first publish | ${shown(times.first)} |`);
  say(`| publish without a change | ${shown(times.unchanged)} |`);
  say(`| plan | ${shown(times.plan)} |`);
  say(`| publish a revert, with 300 MB committed | ${shown(times.revert)} |`);
  const cold = await measureColdStart(directory, images);
  say(
    `\nThe runtime with ${images} images of 2 GiB is ready after ${shown(cold.seconds)}, with at most ${(cold.peakBytes / 1e6).toFixed(0)} MB of memory.`,
  );
} finally {
  await rm(directory, { recursive: true, force: true });
}
