import { encodeUtf8 } from '../utf8.ts';

/** A file or, without `text`, a folder of an archive. */
export interface CpioEntry {
  readonly path: string;
  readonly text?: string;
}

const folderMode = 0o040755;
const fileMode = 0o100644;

/**
 * An archive in cpio's form newc, as the kernel unpacks it out of an initrd. Its length is a multiple of 4.
 * @see Documentation/driver-api/early-userspace/buffer-format.rst of Linux
 */
export function encodeCpio(entries: readonly CpioEntry[]): Uint8Array {
  const parts = [...entries.map(({ path, text }) => encodeEntry(path, text)), encodeEntry('TRAILER!!!', '')];
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

function encodeEntry(path: string, text: string | undefined): Uint8Array {
  const content = encodeUtf8(text ?? '');
  const name = encodeUtf8(`${path}\0`);
  const mode = text === undefined ? folderMode : fileMode;
  // inode, mode, uid, gid, links, mtime, size, device (2), device of the file itself (2), length of the name, checksum
  const fields = [0, mode, 0, 0, 1, 0, content.length, 0, 0, 0, 0, name.length, 0];
  const header = encodeUtf8(`070701${fields.map((field) => field.toString(16).padStart(8, '0')).join('')}`);
  const contentAt = padded(header.length + name.length);
  const bytes = new Uint8Array(padded(contentAt + content.length));
  bytes.set(header, 0);
  bytes.set(name, header.length);
  bytes.set(content, contentAt);
  return bytes;
}

function padded(length: number): number {
  return Math.ceil(length / 4) * 4;
}
