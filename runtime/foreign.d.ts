// npm packages that come without types; only what is used is declared.
declare module 'bittorrent-protocol' {
  import type { Duplex } from 'node:stream';

  // biome-ignore lint/style/noDefaultExport: that is how the package exports it.
  export default class Wire extends Duplex {
    /** It writes no request while this is true. */
    peerChoking: boolean;
    handshake(infoHash: string, peerId: string, extensions?: { readonly fast?: boolean }): void;
    bitfield(bits: Uint8Array): void;
    interested(): void;
    have(piece: number): void;
    request(
      piece: number,
      offset: number,
      length: number,
      done: (error: Error | null, block: Uint8Array) => void,
    ): void;
    cancel(piece: number, offset: number, length: number): void;
    keepAlive(): void;
  }
}
