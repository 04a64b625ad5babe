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

declare module 'webtorrent' {
  import type { EventEmitter } from 'node:events';

  export interface Torrent extends EventEmitter {
    /** Bytes sent to peers. */
    readonly uploaded: number;
  }

  // biome-ignore lint/style/noDefaultExport: that is how the package exports it.
  export default class WebTorrent extends EventEmitter {
    /** All sources of peers but the tracker are on by default; so is uTP. */
    constructor(options: {
      readonly dht: boolean;
      readonly lsd: boolean;
      readonly utPex: boolean;
      readonly utp: boolean;
      readonly natUpnp: boolean;
      readonly natPmp: boolean;
      /** 0: no encryption. 1: encrypted, or plain where the other begins so. 2: encrypted. */
      readonly secure: 0 | 1 | 2;
    });
    add(torrent: Uint8Array, options: { readonly path: string; readonly strategy: 'rarest' | 'sequential' }): Torrent;
    destroy(done: () => void): void;
  }
}
