import { decodeBase64 } from '#bundle/base64.ts';
import { type BlobRef, type Catalog, parseCatalog, parseTrustedComment, type Release } from '#bundle/catalog.ts';
import { Fault } from '#bundle/fault.ts';
import { type Manifest, type ManifestFile, parseManifest } from '#bundle/manifest.ts';
import { checkMetainfo, encodeMetainfo, parseMetainfo, withAnnounce } from '#bundle/metainfo.ts';
import { parseOwnSignature, parsePublicKey } from '#bundle/signature.ts';
import { runOrFail } from './command.ts';
import type { Host } from './host.ts';
import type { Delivery } from './phases.ts';

/**
 * Checks the catalog's bytes against the keys of this bootstrap, and only then parses them.
 * @param keysPath folder of the site's public keys
 * @throws Fault `BUNDLE_KEY_UNKNOWN`, `BUNDLE_SIGNATURE_INVALID`, `CATALOG_COMMENT_INVALID`, `CATALOG_SERIAL_MISMATCH`, `CATALOG_INVALID`
 */
export function verifyCatalog(
  host: Host,
  signed: { readonly catalog: string; readonly signature: string },
  keysPath: string,
): Catalog {
  const files = { message: `${host.workPath}/catalog`, signature: `${host.workPath}/catalog.minisig` };
  host.writeText(files.message, signed.catalog);
  host.writeText(files.signature, signed.signature);
  const comment = verifySignatureFile(host, { ...files, key: findKey(host, signed.signature, keysPath) });
  const { site, serial } = parseTrustedComment(comment);
  const catalog = parseCatalog(signed.catalog);
  if (catalog.site === site && catalog.serial === serial) return catalog;
  throw new Fault(
    'CATALOG_SERIAL_MISMATCH',
    `Cannot use the catalog: it says ${catalog.site} ${catalog.serial}, its signature ${site} ${serial}`,
  );
}

/**
 * Checks a manifest's text against the signed catalog, and only then parses it.
 * @throws Fault `MANIFEST_DIGEST_MISMATCH`, `MANIFEST_INVALID`
 */
export function verifyManifest(host: Host, release: Release, text: string): Manifest {
  const path = `${host.workPath}/manifest`;
  host.writeText(path, text);
  if (!isBlob(host, path, release.manifest)) {
    throw new Fault(
      'MANIFEST_DIGEST_MISMATCH',
      `Cannot use the manifest of ${release.name}: it is not the signed one`,
      {
        hint: 'The signed catalog names another manifest: publish again',
      },
    );
  }
  const manifest = parseManifest(text);
  if (manifest.name === release.name && manifest.arch === release.arch) return manifest;
  throw new Fault('MANIFEST_INVALID', `Cannot use the manifest of ${release.name}: it is of ${manifest.name}`);
}

/**
 * The torrent that the signed catalog names: it writes exactly `files`, into a folder with the release's name, and
 * knows no source but our tracker. The server's own announce URL in it is dropped before its digest is taken.
 * @throws Fault `TORRENT_INVALID`, `TORRENT_MISMATCH`, `TORRENT_DIGEST_MISMATCH`
 */
export function verifyTorrent(host: Host, delivery: Omit<Delivery, 'folder'>, announce: string): Uint8Array {
  const { manifest, files, hint, torrent } = delivery;
  const bytes = decodeBase64(hint.torrent ?? '');
  if (!bytes) throw new Fault('TORRENT_INVALID', 'Cannot read the torrent: it is not base64');
  const metainfo = parseMetainfo(bytes);
  checkMetainfo(metainfo, files);
  if (metainfo.name !== manifest.name) {
    throw new Fault('TORRENT_MISMATCH', `Cannot use the torrent: it is named ${metainfo.name}, not ${manifest.name}`);
  }
  const own = encodeMetainfo(metainfo);
  const path = `${host.workPath}/torrent`;
  host.writeBytes(path, own);
  if (torrent && isBlob(host, path, torrent)) return withAnnounce(own, announce);
  throw new Fault('TORRENT_DIGEST_MISMATCH', `Cannot use the torrent of ${manifest.name}: it is not the signed one`, {
    hint: 'The signed catalog names another torrent: publish again',
  });
}

/** Checks length and SHA-256 of a downloaded file. @throws Fault `FILE_DIGEST_MISMATCH` */
export function verifyFile(host: Host, path: string, file: ManifestFile): void {
  if (isBlob(host, path, { digest: file.sha256, sizeBytes: file.sizeBytes })) return;
  throw new Fault('FILE_DIGEST_MISMATCH', `Cannot start ${file.name}: its bytes are not those of the signed manifest`, {
    hint: 'A changed or damaged file was delivered: look at the store of the server',
  });
}

/** Whether a file has this length and SHA-256. @throws Fault `HASHING_FAILED` */
export function isBlob(host: Host, path: string, wanted: BlobRef): boolean {
  if (host.sizeBytes(path) !== wanted.sizeBytes) return false;
  const printed = runOrFail(host, ['sha256sum', path], { code: 'HASHING_FAILED', purpose: `hash ${path}` });
  return printed.slice(0, 64) === wanted.digest;
}

/** The path of the key that claims to have made the signature. A claim only: minisign checks it. */
function findKey(host: Host, signature: string, keysPath: string): string {
  const { keyId } = parseOwnSignature(signature);
  const paths = host.list(keysPath).map((name) => `${keysPath}/${name}`);
  const key = paths.find((path) => parsePublicKey(host.readText(path) ?? '').keyId === keyId);
  if (key !== undefined) return key;
  throw new Fault('BUNDLE_KEY_UNKNOWN', `Cannot verify the catalog: no key in this bootstrap has the id ${keyId}`, {
    hint: 'The catalog was signed with another key than the bootstrap was built for: publish both again',
  });
}

/** @returns the trusted comment */
function verifySignatureFile(host: Host, files: { message: string; signature: string; key: string }): string {
  const { status, stdout } = host.run(['minisign', '-VQ', '-p', files.key, '-x', files.signature, '-m', files.message]);
  if (status === 0) return stdout.replace(/\n$/, '');
  throw new Fault('BUNDLE_SIGNATURE_INVALID', 'Cannot verify the catalog: its bytes are not those that were signed', {
    hint: 'Somebody or something between the publisher and this machine changes what is sent: publish again',
  });
}
