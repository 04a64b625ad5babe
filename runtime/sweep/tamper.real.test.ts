import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { verifyCatalog, verifyManifest, verifyTorrent } from '#bootstrap/agent/verify.ts';
import { openFolderHost } from '#bootstrap/folder-host.ts';
import { encodeBase64 } from '#bundle/base64.ts';
import type { Release } from '#bundle/catalog.ts';
import type { Digest } from '#bundle/digest.ts';
import { Fault } from '#bundle/fault.ts';
import { parseManifest, swarmFiles } from '#bundle/manifest.ts';
import { parsePublicKey } from '#bundle/signature.ts';
import { dice } from '#bundle/testdata/mutate.ts';
import { digestOf } from '#store/digest.ts';
import { openStore } from '#store/local.ts';
import type { Published } from '#store/store.ts';
import { loadMenu } from '../reconcile/load.ts';
import { makeSmallSite } from './small-site.ts';

/**
 * Every single bit flipped and every truncation of what a node and the runtime believe, and nothing of it is believed.
 * All of them with BT_TEST=all, else a sample; BT_SEED chooses another one.
 */
const sample = process.env.BT_TEST === 'all' ? undefined : 300;
const agentSample = process.env.BT_TEST === 'all' ? undefined : 60;
const seed = Number(process.env.BT_SEED ?? 1);

const site = makeSmallSite();
site.run('publish');
const host = openFolderHost();
const keysPath = join(host.workPath, 'keys');
mkdirSync(keysPath);
const keyText = readFileSync(join(site.statePath, 'keys', 'minisign.pub'), 'utf8');
host.writeText(join(keysPath, 'site.pub'), keyText);
const keys = [parsePublicKey(keyText)];
const store = await openStore(site.storePath);
const published = (await store.readPublished()) as Published;
const sound = await loadMenu({ store, site: 'sweep', keys }, published);
const release = sound.catalog.images[0] as Release & { torrent: NonNullable<Release['torrent']> };
afterAll(() => {
  site.remove();
  host.remove();
});

type Part = 'catalog' | 'signature' | 'manifest' | 'torrent';
const parts: readonly Part[] = ['catalog', 'signature', 'manifest', 'torrent'];
const digests: Readonly<Record<Part, Digest>> = {
  catalog: published.catalog,
  signature: published.signature,
  manifest: release.manifest.digest,
  torrent: release.torrent.digest,
};
const bytesOf = (part: Part) => readFileSync(store.blobPath(digests[part]));

/** Every way to change one bit or to lose the end; of a sample some of both. */
function changesOf(bytes: Buffer, count: number | undefined): readonly (readonly [name: string, changed: Buffer])[] {
  const flips = Array.from({ length: bytes.length * 8 }, (_, bit) => bit);
  const cuts = Array.from({ length: bytes.length }, (_, length) => length);
  const random = dice(seed);
  const some = (all: readonly number[], most: number) =>
    count === undefined ? all : Array.from({ length: most }, () => all[Math.floor(random() * all.length)] ?? 0);
  const flip = (bit: number) => {
    const changed = Buffer.from(bytes);
    changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    return changed;
  };
  return [
    ...some(flips, count ?? 0).map((bit) => [`bit ${bit & 7} of byte ${bit >> 3}`, flip(bit)] as const),
    ...some(cuts, Math.ceil((count ?? 0) / 4)).map(
      (length) => [`cut to ${length}`, bytes.subarray(0, length)] as const,
    ),
    // The last byte is the one that a careless reader forgets.
    [`cut to ${bytes.length - 1}`, bytes.subarray(0, -1)],
  ];
}

/** Which codes the changes came to; a change that is believed is a failure with its name. */
async function codesOf(
  changes: ReturnType<typeof changesOf>,
  read: (changed: Buffer) => unknown,
): Promise<Readonly<Record<string, number>>> {
  const codes: Record<string, number> = {};
  const believed: string[] = [];
  for (const [name, changed] of changes) {
    try {
      await read(changed);
      believed.push(name);
    } catch (error) {
      if (!(error instanceof Fault)) throw new Error(`${name} gave no fault`, { cause: error });
      codes[error.code] = (codes[error.code] ?? 0) + 1;
    }
  }
  expect(believed).toEqual([]);
  return codes;
}

function put(digest: Digest, bytes: Uint8Array): void {
  const path = store.blobPath(digest);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, bytes);
}

describe('the runtime, with a store that somebody changes', () => {
  test.each(parts)('refuses a changed %s by its digest, before it is parsed', async (part) => {
    const bytes = bytesOf(part);
    chmodSync(store.blobPath(digests[part]), 0o600);
    const codes = await codesOf(changesOf(bytes, sample), (changed) => {
      put(digests[part], changed);
      return loadMenu({ store, site: 'sweep', keys }, published);
    });
    put(digests[part], bytes);
    expect(Object.keys(codes)).toEqual([`${part.toUpperCase()}_DIGEST_MISMATCH`]);
    await loadMenu({ store, site: 'sweep', keys }, published);
  });

  /** Who can write the store can give changed bytes their right name, too. */
  test.each(['catalog', 'signature'] as const)('refuses a changed %s under its new digest', async (part) => {
    const codes = await codesOf(changesOf(bytesOf(part), sample), (changed) => {
      put(digestOf(changed), changed);
      return loadMenu({ store, site: 'sweep', keys }, { ...published, [part]: digestOf(changed) });
    });
    const expected =
      part === 'catalog' ? ['BUNDLE_SIGNATURE_INVALID'] : ['BUNDLE_KEY_UNKNOWN', 'BUNDLE_SIGNATURE_INVALID'];
    expect(Object.keys(codes).toSorted()).toEqual(expected);
  });
});

describe('the agent, with a server that lies', () => {
  const text = (part: Part) => bytesOf(part).toString('latin1');
  const signed = { catalog: text('catalog'), signature: text('signature') };
  const [catalog, manifest] = [sound.catalog, parseManifest(text('manifest'))];

  test('believes what was not changed', () => {
    expect(verifyCatalog(host, signed, keysPath)).toEqual(catalog);
    expect(verifyManifest(host, release, text('manifest'))).toEqual(manifest);
  });

  test.each(['catalog', 'signature'] as const)('refuses a changed %s by the signature', async (part) => {
    const codes = await codesOf(changesOf(bytesOf(part), agentSample), (changed) =>
      verifyCatalog(host, { ...signed, [part]: changed.toString('latin1') }, keysPath),
    );
    expect(Object.keys(codes)).toContain('BUNDLE_SIGNATURE_INVALID');
    expect(Object.keys(codes).filter((code) => !code.startsWith('BUNDLE_'))).toEqual([]);
  });

  test('refuses a changed manifest by its digest', async () => {
    const codes = await codesOf(changesOf(bytesOf('manifest'), agentSample), (changed) =>
      verifyManifest(host, release, changed.toString('latin1')),
    );
    expect(Object.keys(codes)).toEqual(['MANIFEST_DIGEST_MISMATCH']);
  });

  test('refuses a changed torrent', async () => {
    const files = swarmFiles(manifest);
    const read = (bytes: Uint8Array) => {
      const hint = { manifest: '', torrent: encodeBase64(bytes) };
      return verifyTorrent(host, { manifest, files, hint, torrent: release.torrent }, 'http://10.0.0.1/announce/x');
    };
    expect(read(bytesOf('torrent')).length).toBeGreaterThan(0);
    const codes = await codesOf(changesOf(bytesOf('torrent'), agentSample), read);
    expect(Object.keys(codes).filter((code) => !code.startsWith('TORRENT_'))).toEqual([]);
  });
});
