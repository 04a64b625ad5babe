import { expect, test } from 'vitest';
import { decodeBase64, encodeBase64 } from './base64.ts';
import { decodeBencode } from './bencode.ts';
import { formatReport, parseReport } from './boot-report.ts';
import { formatTicket, parseTicket } from './boot-ticket.ts';
import { type Catalog, formatCatalog, formatTrustedComment, parseCatalog, parseTrustedComment } from './catalog.ts';
import type { Digest, InfoHash, Mac, Revision, SessionId } from './digest.ts';
import { Fault } from './fault.ts';
import { formatManifest, parseManifest } from './manifest.ts';
import { encodeMetainfo, parseMetainfo } from './metainfo.ts';
import { parsePublicKey, parseSignature } from './signature.ts';
import type { Start } from './start.ts';
import { dice, mutateBytes, mutateJson, mutateText } from './testdata/mutate.ts';

/**
 * What nodes and server read from the network, changed at random: 100,000 times each. A parser gives a value or a Fault
 * with its code, never another error, and never holds for long. The seed is in the name of a failing test.
 */
const rounds = 100_000;
const seed = Number(process.env.BT_SEED ?? 1);
/** Longer than the slowest parse of such small inputs ever takes, shorter than a person would call a hang. */
const patienceMs = 500;

const digest = 'ab'.repeat(32) as Digest;
const blob = { digest, sizeBytes: 10 };
const release = (name: string) => {
  const torrent = { ...blob, infoHash: 'cd'.repeat(20) as InfoHash };
  return { name, arch: 'amd64' as const, manifest: blob, sizeBytes: 10, torrent };
};
const image = { cmdline: 'quiet', memoryBytes: 5, title: 'An image' };
const qemu: Start = {
  method: 'qemu',
  ...{ firmware: 'bios', cpu: 'max', cpus: 2, memoryBytes: 9, display: 'serial', network: 'user' },
  disks: [{ file: 'a.qcow2', format: 'qcow2', interface: 'virtio' }],
  ...{ cdrom: 'a.iso', arguments: ['-device', 'x,y=1'], restart: 'never' },
};
const exec: Start = {
  method: 'exec',
  ...{ modules: 'core', command: ['/bin/true', 'a b'], environment: { A: 'b' }, afterwards: 'stay' },
};
const catalog: Catalog = {
  ...{ format: 1, site: 'lab', revision: '1'.repeat(40) as Revision, committedAt: '2026-01-01T00:00:00Z', serial: 7 },
  bootstraps: [release('bootstrap')],
  parts: [release('modules'), release('qemu')],
  images: [
    { ...release('a'), ...image, start: { method: 'switch-root', modules: 'all', overlayBytes: 7 }, heartbeatMs: 9 },
    { ...release('b'), ...image, start: qemu, description: 'More' },
    { ...release('c'), ...image, start: exec },
    { ...release('d'), ...image, start: { method: 'kexec', unbind: ['nouveau'] } },
  ],
  menu: { default: 'a', timeoutMs: -1, shell: true },
  swarm: { seedBudgetMs: 30_000, uploadBytesPerSecond: 9 },
  groups: [{ name: 'g', match: { mac: ['52:54:*'], arch: ['amd64'] }, image: 'a', images: ['b'], cmdline: 'x' }],
};
const files = [{ name: 'root.squashfs', role: 'rootfs', sizeBytes: 10, sha256: digest } as const];
const manifest = formatManifest({
  ...{ format: 1, kind: 'image', name: 'a', arch: 'amd64', method: 'switch-root', memoryBytes: 9 },
  files,
});
const pieces = { name: 'a', pieceLengthBytes: 2 ** 18, files: [{ name: 'root.squashfs', sizeBytes: 10 }] };
const torrent = encodeMetainfo({ ...pieces, pieces: new Uint8Array(20) });
const session = 'e'.repeat(32) as SessionId;
const mac = '52:54:00:00:00:01' as Mac;
const ticket = formatTicket({
  ...{ session, mac, timeMs: 1, catalog: '{}', signature: 'x', origin: '10.0.0.1:6881', bootstrapManifest: digest },
  ...{ imageName: 'a', image: { manifest, torrent: encodeBase64(torrent) }, parts: [{ name: 'qemu', manifest: '{}' }] },
});
const report = formatReport({
  ...{ session, mac, phase: 'failed', uptimeMs: 5, image: 'a', manifest: digest, doneBytes: 1, totalBytes: 2 },
  ...{ missingDrivers: ['8086:1572'], exitStatus: -9, output: 'x', log: 'y', fault: { code: 'A', message: 'b' } },
});
const key = 'RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3';
const signature = [
  'untrusted comment: signature from minisign secret key',
  'RUQf6LRCGA9i559r3g7V1qNyJDApGip8MfqcadIgT9CuhV3EMhHoN1mGTkUidF/z7SrlQgXdy8ofjb7bNJJylDOocrCo8KLzZwo=',
  'trusted comment: boottorrent catalog site=lab serial=7',
  'y/rUw2y8/hOUYjZU71eHp/Wo1KZ40fGy2VJEDl34XMJM+TX48Ss/17u3IvIfbVR1FkZZSNCisQbuQY+bHwhEBg==',
  '',
].join('\n');

const parsers: Readonly<Record<string, readonly [original: () => unknown, parse: (random: () => number) => unknown]>> =
  {
    ticket: [() => parseTicket(ticket), (random) => parseTicket(mutateJson(ticket, random))],
    catalog: [
      () => parseCatalog(formatCatalog(catalog)),
      (random) => parseCatalog(mutateJson(formatCatalog(catalog), random)),
    ],
    manifest: [() => parseManifest(manifest), (random) => parseManifest(mutateJson(manifest, random))],
    report: [() => parseReport(report), (random) => parseReport(mutateJson(report, random))],
    torrent: [() => parseMetainfo(torrent), (random) => parseMetainfo(mutateBytes(torrent, random))],
    bencode: [() => decodeBencode(torrent), (random) => decodeBencode(mutateBytes(torrent, random))],
    signature: [() => parseSignature(signature), (random) => parseSignature(mutateText(signature, random))],
    'public key': [() => parsePublicKey(key), (random) => parsePublicKey(mutateText(key, random))],
    'trusted comment': [
      () => parseTrustedComment(formatTrustedComment('lab', 7)),
      (random) => parseTrustedComment(mutateText(formatTrustedComment('lab', 7), random)),
    ],
    base64: [() => decodeBase64(key), (random) => decodeBase64(mutateText(key, random))],
  };

test.each(Object.entries(parsers))(`%s: ${rounds} changed inputs, seed ${seed}`, (name, [original, parse]) => {
  expect(original).not.toThrow();
  const random = dice(seed);
  let refused = 0;
  for (let round = 0; round < rounds; round++) {
    const startMs = performance.now();
    try {
      parse(random);
    } catch (error) {
      if (!(error instanceof Fault)) throw new Error(`Round ${round} threw no fault`, { cause: error });
      refused++;
    }
    if (performance.now() - startMs > patienceMs) throw new Error(`Round ${round} took too long`);
  }
  // A mutation that never does harm would test nothing.
  if (name !== 'base64') expect(refused).toBeGreaterThan(rounds / 20);
});
