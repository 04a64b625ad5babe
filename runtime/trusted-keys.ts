import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Fault } from '#bundle/fault.ts';
import { type PublicKey, parsePublicKey } from '#bundle/signature.ts';
import type { Log } from './log.ts';
import { askChild } from './publish-child.ts';

/**
 * The keys whose catalogs are served: those that the site names, else the state directory's own pair, which the
 * builder makes at the first start. This process never reads a secret key.
 * @param keygen the builder's verb with its arguments
 * @throws Fault `PUBLIC_KEY_INVALID`, `KEY_NOT_MADE`
 */
export async function trustedKeys(
  publicKeys: readonly string[],
  { statePath, keygen, log }: { readonly statePath: string; readonly keygen: readonly string[]; readonly log: Log },
): Promise<readonly PublicKey[]> {
  if (publicKeys.length > 0) return publicKeys.map(parsePublicKey);
  const path = join(statePath, 'keys', 'minisign.pub');
  const existing = await readFile(path, 'utf8').catch(() => undefined);
  if (existing !== undefined) return [parsePublicKey(existing)];
  try {
    const { publicKey, secretKeyPath, faults } = await askChild(keygen);
    if (publicKey === undefined) throw new Error(`the builder says ${JSON.stringify(faults)}`);
    log.warn({ publicKey, secretKeyPath }, 'made a key pair: put the public key into trust.publicKeys');
    return [parsePublicKey(String(publicKey))];
  } catch (cause) {
    throw new Fault('KEY_NOT_MADE', 'Cannot make a key pair', { cause, hint: 'Try "boottorrent keygen" by hand' });
  }
}
