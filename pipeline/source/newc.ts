/** A file of a cpio archive in the format `newc`, which the kernel unpacks into its initramfs. */
export interface NewcFile {
  /** Relative, without a slash at its beginning. */
  readonly name: string;
  readonly sizeBytes: number;
  /** Seconds since 1970. */
  readonly epoch: number;
}

/** Sizes are 8 hexadecimal digits. */
export const newcLimitBytes = 0xffff_ffff;

/** Headers and contents each begin at a multiple of this. */
const alignmentBytes = 4;

/**
 * The bytes before a regular file's content: root's, readable by all.
 * @throws RangeError for a file of 4 GiB or more
 * @see https://docs.kernel.org/driver-api/early-userspace/buffer-format.html
 */
export function newcHeader({ name, sizeBytes, epoch }: NewcFile): Uint8Array {
  return header({ name, sizeBytes, epoch, mode: 0o100644 });
}

/** What ends an archive. */
export function newcTrailer(): Uint8Array {
  return header({ name: 'TRAILER!!!', sizeBytes: 0, epoch: 0, mode: 0 });
}

/** The zeros after so many bytes. */
export function newcPadding(sizeBytes: number): Uint8Array {
  return new Uint8Array((alignmentBytes - (sizeBytes % alignmentBytes)) % alignmentBytes);
}

function header({ name, sizeBytes, epoch, mode }: NewcFile & { readonly mode: number }): Uint8Array {
  if (sizeBytes > newcLimitBytes) throw new RangeError(`${name} is too large for newc: ${sizeBytes} bytes`);
  const [inode, owner, group, links, device, check] = [1, 0, 0, 1, 0, 0];
  const nameBytes = Buffer.byteLength(name) + 1;
  const devices = [device, device, device, device];
  const fields = [inode, mode, owner, group, links, epoch, sizeBytes, ...devices, nameBytes, check];
  const text = `070701${fields.map((one) => one.toString(16).padStart(8, '0')).join('')}${name}\0`;
  const bytes = Buffer.from(text);
  return Buffer.concat([bytes, newcPadding(bytes.length)]);
}
