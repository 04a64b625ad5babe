import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import type { Digest } from '#bundle/digest.ts';

/** SHA-256 of bytes, or of a text's UTF-8. */
export function digestOf(content: Uint8Array | string): Digest {
  return createHash('sha256').update(content).digest('hex') as Digest;
}

/** SHA-256 and length of a stream. */
export async function digestOfStream(
  stream: AsyncIterable<Uint8Array>,
  onChunk?: (chunk: Uint8Array) => void,
): Promise<{ readonly digest: Digest; readonly sizeBytes: number }> {
  const hash = createHash('sha256');
  let sizeBytes = 0;
  for await (const chunk of stream) {
    hash.update(chunk);
    onChunk?.(chunk);
    sizeBytes += chunk.length;
  }
  return { digest: hash.digest('hex') as Digest, sizeBytes };
}

/** SHA-256 and length of a file, read in pieces of 1 MiB. */
export function digestOfFile(
  path: string,
  onChunk?: (chunk: Uint8Array) => void,
): Promise<{ readonly digest: Digest; readonly sizeBytes: number }> {
  return digestOfStream(createReadStream(path, { highWaterMark: 1024 * 1024 }), onChunk);
}

/** BLAKE2b-512 of bytes: what a prehashed minisign signature signs. */
export function blake2b512(bytes: Uint8Array): Uint8Array {
  return createHash('blake2b512').update(bytes).digest();
}
