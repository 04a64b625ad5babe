import { Command } from 'commander';
import { findPlace, type PlaceFlags, withPlace } from './builder.ts';
import { openReporter, reporting } from './report.ts';

type Flags = PlaceFlags & { readonly json: boolean };

/** `boottorrent keygen`: makes the key pair that signs catalogs, unless there is one. */
export function keygenCommand(): Command {
  return withPlace(new Command('keygen'))
    .description('Make the key pair that signs catalogs; where there is one, only show its public key')
    .option('--json', 'one JSON object on standard output', false)
    .action((flags: Flags) => reporting(flags, () => keygen(flags)));
}

async function keygen(flags: Flags): Promise<void> {
  const { keyPaths, openKeyPair } = await import('#pipeline/sign.ts');
  const { formatPublicKey } = await import('#bundle/signature.ts');
  const { statePath } = await findPlace(flags);
  const { key, isNew } = await openKeyPair(statePath);
  const publicKey = formatPublicKey(key.publicKey);
  const { secret } = keyPaths(statePath);
  const text = `${publicKey}\n${isNew ? 'Made' : 'Kept'} ${secret}; put the line above into trust.publicKeys`;
  openReporter(flags).result('key', { publicKey, keyId: key.keyId, secretKeyPath: secret, isNew }, text);
}
