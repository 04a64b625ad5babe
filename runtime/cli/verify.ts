import { readFile } from 'node:fs/promises';
import { Command } from 'commander';
import { Fault } from '#bundle/fault.ts';
import { type PublicKey, parsePublicKey } from '#bundle/signature.ts';
import { findPlace, loadSiteHere, type PlaceFlags, withPlace } from './builder.ts';
import { openReporter, reporting } from './report.ts';

type Flags = PlaceFlags & { readonly json: boolean };

/** `boottorrent verify`: checks what is published, from the signature down to the last byte. */
export function verifyCommand(): Command {
  return withPlace(new Command('verify'))
    .description('Check the published catalog: its signature, and every byte of every file it names')
    .option('--json', 'one JSON object on standard output', false)
    .action((flags: Flags) => reporting(flags, () => verify(flags)));
}

async function verify(flags: Flags): Promise<void> {
  const { verifyPublished } = await import('#pipeline/verify.ts');
  const { openStore } = await import('#store/local.ts');
  const place = await findPlace(flags);
  const { site, storePath } = await loadSiteHere(place, flags);
  const keys = await readTrustedKeys(site.trust.publicKeys, place.statePath);
  const verified = await verifyPublished(await openStore(storePath), keys);
  if (!verified) {
    throw new Fault('NOTHING_PUBLISHED', 'Cannot verify: nothing is published yet', {
      hint: 'Run "boottorrent publish"',
    });
  }
  const { catalog, keyId, fileCount, sizeBytes } = verified;
  const { serial, revision } = catalog;
  const size = `${fileCount} files, ${(sizeBytes / 1e6).toFixed(1)} MB`;
  const text = `Verified: revision ${revision.slice(0, 12)}, serial ${serial}, signed by ${keyId}, ${size}`;
  openReporter(flags).result('verified', { serial, revision, keyId, fileCount, sizeBytes }, text);
}

/** The keys whose catalogs count: the site's, else the state directory's own. @throws Fault `PUBLIC_KEY_MISSING` */
export async function readTrustedKeys(publicKeys: readonly string[], statePath: string): Promise<readonly PublicKey[]> {
  if (publicKeys.length > 0) return publicKeys.map(parsePublicKey);
  const { keyPaths } = await import('#pipeline/sign.ts');
  const path = keyPaths(statePath).public;
  const text = await readFile(path, 'utf8').catch((cause) => {
    const hint = 'Name the trusted keys in trust.publicKeys, or run "boottorrent keygen"';
    throw new Fault('PUBLIC_KEY_MISSING', `Cannot read the public key ${path}`, { cause, hint });
  });
  return [parsePublicKey(text)];
}
