/** Buffers of one size that are used again: so much passes through them that garbage alone would be 100 MB and more. */
export interface BufferPool {
  take(): Buffer;
  /** Gives a buffer back; nobody may look at it any more. */
  give(buffer: Buffer): void;
}

/** @param keepLimit how many unused buffers are kept */
export function createBufferPool(sizeBytes: number, keepLimit: number): BufferPool {
  const unused: Buffer[] = [];
  return {
    take: () => unused.pop() ?? Buffer.allocUnsafeSlow(sizeBytes),
    give(buffer) {
      if (unused.length < keepLimit) unused.push(buffer);
    },
  };
}
