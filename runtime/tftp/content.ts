import { type FileHandle, open } from 'node:fs/promises';
import { Fault } from '#bundle/fault.ts';

/** What a name stands for. */
export type TftpFile =
  | {
      readonly path: string;
      readonly sizeBytes: number;
      /** Looked at when the file is opened. Absent: it is taken as it is. */
      readonly isUnchanged?: () => Promise<boolean>;
    }
  | { readonly bytes: Uint8Array };

/** An opened file of a transfer. */
export interface Content {
  readonly sizeBytes: number;
  /** @throws Fault `TFTP_FILE_SHORT` where the file is shorter than it should be */
  read(offset: number, length: number): Promise<Uint8Array>;
  close(): Promise<void>;
}

/** @throws Fault `DRIFT` where the file is no longer what was verified */
export async function openContent(file: TftpFile): Promise<Content> {
  if ('bytes' in file) {
    const { bytes } = file;
    const read = async (offset: number, length: number) => bytes.subarray(offset, offset + length);
    return { sizeBytes: bytes.length, read, close: async () => {} };
  }
  const handle = await open(file.path, 'r');
  if ((await file.isUnchanged?.()) === false) {
    await handle.close();
    throw new Fault('DRIFT', `Cannot send ${file.path}: it was changed on the disk after it was verified`);
  }
  return {
    sizeBytes: file.sizeBytes,
    read: (offset, length) => readExactly(handle, file.path, { offset, length }),
    close: () => handle.close(),
  };
}

/**
 * Text as `netascii` wants it: LF becomes CR LF, and CR becomes CR NUL (RFC 1350 §1, RFC 764). Some clients ask for
 * it by default.
 */
export function toNetascii(bytes: Uint8Array): Uint8Array {
  const out: number[] = [];
  for (const byte of bytes) {
    if (byte === 10) out.push(13, 10);
    else if (byte === 13) out.push(13, 0);
    else out.push(byte);
  }
  return Uint8Array.from(out);
}

async function readExactly(
  handle: FileHandle,
  path: string,
  part: { offset: number; length: number },
): Promise<Uint8Array> {
  const bytes = new Uint8Array(part.length);
  let done = 0;
  while (done < part.length) {
    const { bytesRead } = await handle.read(bytes, done, part.length - done, part.offset + done);
    if (bytesRead === 0) throw new Fault('TFTP_FILE_SHORT', `Cannot read ${path}: it is shorter than it should be`);
    done += bytesRead;
  }
  return bytes;
}
