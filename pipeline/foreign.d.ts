// npm packages that come without types; only what is used is declared.
declare module 'bencode' {
  const bencode: { decode(bytes: Uint8Array): Record<string, unknown>; encode(value: unknown): Uint8Array };
  // biome-ignore lint/style/noDefaultExport: that is how the package exports it.
  export default bencode;
}

declare module 'create-torrent' {
  export interface CreateTorrentOptions {
    readonly name?: string;
    readonly private?: boolean;
    /** Public trackers are put in where neither this nor `announce` is given. */
    readonly announceList?: readonly (readonly string[])[];
    readonly pieceLength?: number;
  }
  // biome-ignore lint/style/noDefaultExport: that is how the package exports it.
  export default function createTorrent(
    input: readonly (string | (Uint8Array & { readonly name?: string }))[],
    options: CreateTorrentOptions,
    done: (error: Error | null, torrent: Uint8Array) => void,
  ): void;
}
