import { type Bencoded, type BencodedDictionary, bytesOf, decodeBencode, encodeBencode, textOf } from './bencode.ts';
import { Fault } from './fault.ts';

/** A file of a torrent: one path segment, like in the manifest. */
export interface TorrentFile {
  readonly name: string;
  readonly sizeBytes: number;
}

/** A private, version 1 torrent (BEP 3, BEP 27) in multi-file form: `<name>/<file>`, no folders below. */
export interface Metainfo {
  /** The directory that a client puts the files into. */
  readonly name: string;
  /** A power of two from 16 KiB to 16 MiB. */
  readonly pieceLengthBytes: number;
  readonly pieceCount: number;
  /** In the order in which their bytes are laid end to end and cut into pieces. */
  readonly files: readonly TorrentFile[];
  /** SHA-1 of each piece, 20 bytes each, end to end. */
  readonly pieces: Uint8Array;
  /** The bytes of the info dictionary: their SHA-1 is the infohash. */
  readonly infoBytes: Uint8Array;
  /** The tracker, when there is one. */
  readonly announce?: string;
}

/** What a torrent is made of; the rest of {@link Metainfo} follows from it. */
export type MetainfoParts = Pick<Metainfo, 'name' | 'pieceLengthBytes' | 'files' | 'pieces'>;

export const torrentLimitBytes = 3 * 1024 * 1024;
const fileLimit = 1000;
const pieceLengths = { min: 16 * 1024, max: 16 * 1024 * 1024 } as const;

/**
 * Parses a torrent file. Every key that is not known is refused, because the client that is handed the same bytes may
 * obey it: `path.utf-8` and `name.utf-8` go before `path` and `name`, `url-list`, `nodes` and `announce-list` name other sources.
 * @throws Fault `TORRENT_INVALID`
 */
export function parseMetainfo(bytes: Uint8Array): Metainfo {
  if (bytes.length > torrentLimitBytes) fail('it is too large');
  const root = dictionary(decodeBencode(bytes, { what: 'the torrent', code: 'TORRENT_INVALID' }), 'the torrent');
  onlyKeys(root, ['announce', 'comment', 'created by', 'creation date', 'encoding', 'info']);
  const info = dictionary(root.get('info'), 'info');
  onlyKeys(info, ['files', 'name', 'piece length', 'pieces', 'private']);
  if (info.get('private') !== 1) fail('private must be 1');
  const announce = root.has('announce') ? text(root.get('announce'), 'announce') : undefined;
  return {
    ...parseParts(info),
    infoBytes: encodeBencode(info),
    ...(announce !== undefined && { announce }),
  };
}

/**
 * A torrent file without announce URL and date: the same parts are the same bytes and so the same infohash.
 * @throws Fault `TORRENT_INVALID` where the parts do not fit together
 */
export function encodeMetainfo({ name, pieceLengthBytes, files, pieces }: MetainfoParts): Uint8Array {
  const info = new Map<string, Bencoded>([
    ['files', files.map(encodeFile)],
    ['name', bytesOf(name)],
    ['piece length', pieceLengthBytes],
    ['pieces', pieces],
    ['private', 1],
  ]);
  const bytes = encodeBencode(new Map([['info', info]]));
  parseMetainfo(bytes);
  return bytes;
}

/**
 * The same torrent with another tracker. The announce URL is outside of `info`: the infohash stays.
 * @throws Fault `TORRENT_INVALID`
 */
export function withAnnounce(bytes: Uint8Array, url: string): Uint8Array {
  parseMetainfo(bytes);
  const root = dictionary(decodeBencode(bytes), 'the torrent');
  return encodeBencode(new Map([...root, ['announce', bytesOf(url)]]));
}

/**
 * Checks that a torrent writes exactly the wanted files: an untrusted torrent can then at worst deliver wrong bytes,
 * which SHA-256 finds.
 * @param files those of the manifest that go through the swarm, in any order
 * @throws Fault `TORRENT_MISMATCH`
 */
export function checkMetainfo(metainfo: Metainfo, files: readonly TorrentFile[]): void {
  const wanted = new Map(files.map((file) => [file.name, file.sizeBytes]));
  const wrong = metainfo.files.find((file) => wanted.get(file.name) !== file.sizeBytes);
  const missing = files.find((file) => !metainfo.files.some((one) => one.name === file.name));
  if (!wrong && !missing) return;
  const reason = wrong
    ? `${wrong.name} of ${wrong.sizeBytes} bytes is not in the manifest`
    : `${missing?.name} is missing`;
  throw new Fault('TORRENT_MISMATCH', `Cannot use the torrent: ${reason}`, {
    hint: 'Publish again: torrent and manifest must come from one build',
  });
}

/** Piece length that keeps the number of pieces between some hundred and some thousand for usual images. */
export function pieceLengthFor(sizeBytes: number): number {
  if (sizeBytes < 64 * 1024 * 1024) return 256 * 1024;
  return sizeBytes < 1024 * 1024 * 1024 ? 1024 * 1024 : 4 * 1024 * 1024;
}

function parseParts(info: BencodedDictionary): Omit<Metainfo, 'infoBytes' | 'announce'> {
  const pieceLengthBytes = integer(info.get('piece length'), 'piece length', pieceLengths);
  if ((pieceLengthBytes & (pieceLengthBytes - 1)) !== 0) fail('piece length is no power of two');
  const files = parseFiles(info.get('files'));
  const sizeBytes = files.reduce((total, file) => total + file.sizeBytes, 0);
  const pieceCount = Math.ceil(sizeBytes / pieceLengthBytes);
  const pieces = info.get('pieces');
  if (!(pieces instanceof Uint8Array) || pieceCount === 0 || pieces.length !== pieceCount * 20) {
    fail('pieces do not fit the files');
  }
  return { name: fileName(info.get('name'), 'name'), pieceLengthBytes, pieceCount, files, pieces };
}

function parseFiles(value: Bencoded | undefined): readonly TorrentFile[] {
  if (!Array.isArray(value) || value.length === 0 || value.length > fileLimit) fail(`files must be 1 to ${fileLimit}`);
  const files = value.map((one: Bencoded) => parseFile(dictionary(one, 'files')));
  if (new Set(files.map((file) => file.name)).size !== files.length) fail('two files have the same name');
  return files;
}

function parseFile(file: BencodedDictionary): TorrentFile {
  onlyKeys(file, ['length', 'path']);
  const path = file.get('path');
  if (!Array.isArray(path) || path.length !== 1) fail('path must have one segment');
  return {
    name: fileName(path[0], 'path'),
    sizeBytes: integer(file.get('length'), 'length', { min: 0, max: 2 ** 48 }),
  };
}

function encodeFile(file: TorrentFile): BencodedDictionary {
  return new Map<string, Bencoded>([
    ['length', file.sizeBytes],
    ['path', [bytesOf(file.name)]],
  ]);
}

function fail(reason: string): never {
  throw new Fault('TORRENT_INVALID', `Cannot read the torrent: ${reason}`);
}

function onlyKeys(entries: BencodedDictionary, known: readonly string[]): void {
  for (const key of entries.keys()) {
    if (!known.includes(key)) fail(`unknown key ${JSON.stringify(key.slice(0, 40))}`);
  }
}

function dictionary(value: Bencoded | undefined, key: string): BencodedDictionary {
  if (!(value instanceof Map)) return fail(`${key} must be a dictionary`);
  return value;
}

function integer(
  value: Bencoded | undefined,
  key: string,
  range: { readonly min: number; readonly max: number },
): number {
  if (typeof value === 'number' && value >= range.min && value <= range.max) return value;
  return fail(`${key} must be an integer from ${range.min} to ${range.max}`);
}

function text(value: Bencoded | undefined, key: string): string {
  if (value instanceof Uint8Array && value.length <= 2048) return textOf(value);
  return fail(`${key} must be a string`);
}

/** The same names as in a manifest: nothing that leaves the directory or hides in it. */
function fileName(value: Bencoded | undefined, key: string): string {
  const name = text(value, key);
  if (!/^[A-Za-z0-9][A-Za-z0-9._+-]{0,199}$/.test(name))
    fail(`${key} ${JSON.stringify(name.slice(0, 80))} is no plain file name`);
  return name;
}
