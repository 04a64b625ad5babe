import type { BootReport } from '#bundle/boot-report.ts';
import type { Digest, InfoHash, Mac, SessionId } from '#bundle/digest.ts';

/** Who speaks DHCP: option 93 and the user class tell. `os` is everything that is neither firmware nor iPXE. */
export type DhcpSpeaker = 'firmware' | 'ipxe' | 'os';

/** The release that a ticket was for, with all that it takes to give the same one again. */
export interface OfferedRelease {
  /** Of its files, its settings and its command line: another one is another release. */
  readonly identity: Digest;
  readonly manifest: Digest;
  /** The signed catalog that named it, and the signature over that. */
  readonly catalog: Digest;
  readonly signature: Digest;
}

/**
 * What happened to a node, told by the component that saw it. Boot sessions, status and metrics are folds over these;
 * nothing polls a node. `atMs` is the server's clock.
 */
export type BootEvent =
  | {
      readonly kind: 'dhcp';
      readonly atMs: number;
      readonly mac: Mac;
      readonly speaker: DhcpSpeaker;
      /** What the node sent, and what it was answered (`silence` with the reason in the log). */
      readonly request: 'discover' | 'request' | 'inform' | 'decline' | 'release' | 'pxe';
      readonly answer: 'offer' | 'ack' | 'nak' | 'silence';
      /** The address in the answer; absent with proxyDHCP. */
      readonly address?: string;
      /** The firmware by name (`bios`, `uefi-x64`), where the node said it. */
      readonly firmware?: string;
    }
  | {
      readonly kind: 'tftp';
      readonly atMs: number;
      readonly address: string;
      readonly file: string;
      readonly result: 'done' | 'refused' | 'failed';
      readonly sentBytes: number;
    }
  | {
      readonly kind: 'script';
      readonly atMs: number;
      readonly mac: Mac;
      readonly address: string;
      /** The firmware's name in the script's URL. */
      readonly firmware?: string;
      /** The bootstrap that the script loads; absent: there is none yet, and the script waits. */
      readonly bootstrap?: Digest;
      /** The image that the script itself hands over to (chain, local): the last that is heard of this boot. */
      readonly handover?: { readonly image: string; readonly manifest: Digest };
    }
  | {
      readonly kind: 'blob';
      readonly atMs: number;
      readonly address: string;
      readonly name: string;
      readonly sentBytes: number;
    }
  | {
      readonly kind: 'ticket';
      readonly atMs: number;
      readonly session: SessionId;
      readonly mac: Mac;
      readonly address: string;
      readonly image: string;
      /** Manifests of all bundles that the ticket names: seeded as long as the session lives. */
      readonly manifests: readonly Digest[];
      readonly release: OfferedRelease;
      /** How long after `executing` the OS must have sent its first heartbeat. Absent: none is expected. */
      readonly heartbeatMs?: number;
    }
  | {
      readonly kind: 'announce';
      readonly atMs: number;
      readonly session: SessionId;
      readonly address: string;
      readonly infoHash: InfoHash;
      readonly leftBytes: number;
    }
  | {
      /** Payload bytes that the origin sent to an address since the last such event (at most one a second). */
      readonly kind: 'origin';
      readonly atMs: number;
      readonly address: string;
      readonly infoHash: InfoHash;
      readonly sentBytes: number;
    }
  /** The heartbeat that was expected did not come in time. */
  | { readonly kind: 'overdue'; readonly atMs: number; readonly session: SessionId; readonly mac: Mac }
  | { readonly kind: 'report'; readonly atMs: number; readonly address: string; readonly report: BootReport };

/** How components tell what they saw. Never throws, never blocks. */
export type Emit = (event: BootEvent) => void;
