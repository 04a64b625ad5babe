import { randomBytes } from 'node:crypto';
import { link, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { formatTrustedComment } from '#bundle/catalog.ts';
import { Fault } from '#bundle/fault.ts';
import {
  createSignature,
  formatPublicKeyFile,
  formatSecretKeyFile,
  formatSignature,
  type PublicKey,
  parsePublicKey,
  parseSecretKey,
  type SecretKey,
} from '#bundle/signature.ts';
import { generateSecretKey, nodeSigner } from './store/ed25519.ts';

export interface KeyPaths {
  readonly secret: string;
  readonly public: string;
}

/** Where a state directory keeps its key pair. */
export function keyPaths(statePath: string): KeyPaths {
  const directory = join(statePath, 'keys');
  return { secret: join(directory, 'minisign.key'), public: join(directory, 'minisign.pub') };
}

/**
 * The key pair of a state directory, made where there is none. Two processes at once end with the same pair.
 * @throws Fault `SECRET_KEY_INVALID`, `SECRET_KEY_ENCRYPTED`
 */
export async function openKeyPair(statePath: string): Promise<{ readonly key: SecretKey; readonly isNew: boolean }> {
  const paths = keyPaths(statePath);
  await mkdir(join(statePath, 'keys'), { recursive: true, mode: 0o700 });
  const isNew = await writeNew(paths.secret, formatSecretKeyFile(generateSecretKey()), 0o600);
  const key = await readSecretKey(paths.secret);
  await writeNew(paths.public, formatPublicKeyFile(key.publicKey), 0o644);
  return { key, isNew };
}

/** @throws Fault `SECRET_KEY_MISSING`, `SECRET_KEY_INVALID`, `SECRET_KEY_ENCRYPTED` */
export async function readSecretKey(path: string): Promise<SecretKey> {
  const text = await readFile(path, 'utf8').catch((cause) => {
    throw new Fault('SECRET_KEY_MISSING', `Cannot read the secret key ${path}`, {
      cause,
      hint: 'Make one with "boottorrent keygen", or name another file with --key',
      retry: 'stalled',
    });
  });
  return parseSecretKey(text);
}

/**
 * The keys that nodes trust: those that the site names, else the state directory's own. The signing key must be one of
 * them: nodes would refuse every catalog that it signs.
 * @throws Fault `KEY_NOT_TRUSTED`, `PUBLIC_KEY_INVALID`
 */
export function trustedKeys(publicKeys: readonly string[], key: SecretKey): readonly PublicKey[] {
  if (publicKeys.length === 0) return [key.publicKey];
  const keys = publicKeys.map(parsePublicKey);
  const own = Buffer.from(key.publicKey.bytes);
  if (keys.some(({ keyId, bytes }) => keyId === key.keyId && own.equals(bytes))) return keys;
  throw new Fault('KEY_NOT_TRUSTED', `Cannot sign with key ${key.keyId}: trust.publicKeys does not name it`, {
    hint: 'Add its public key to trust.publicKeys, or name another secret key with --key',
    retry: 'stalled',
  });
}

/** The `.minisig` text of a catalog: site and serial stand in the trusted comment, which is signed too. */
export function signCatalog(
  catalog: Uint8Array,
  { key, site, serial }: { readonly key: SecretKey; readonly site: string; readonly serial: number },
): string {
  const trustedComment = formatTrustedComment(site, serial);
  return formatSignature(createSignature(catalog, { key, trustedComment, signer: nodeSigner }));
}

/** Writes a file completely, unless there is one already. */
async function writeNew(path: string, text: string, mode: number): Promise<boolean> {
  const temporary = `${path}.${randomBytes(8).toString('hex')}`;
  await writeFile(temporary, text, { mode, flag: 'wx', flush: true });
  try {
    // Unlike a rename, a link never replaces: a key that exists is never lost.
    await link(temporary, path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  } finally {
    await rm(temporary, { force: true });
  }
}
