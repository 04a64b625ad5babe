import type { Catalog, Group, SwarmLimits } from '#bundle/catalog.ts';
import type { Location } from '#bundle/fault.ts';

/** An IPv4 subnet's address pool, inclusive. */
export type AddressRange = readonly [first: string, last: string];

/** `boot.config.yaml` after parsing: defaults filled in, durations in milliseconds. */
export interface Site {
  readonly site: string;
  /** Where `suspend: true` is written; absent: it is not. */
  readonly suspended?: Location;
  /** `remote: "."` is the repository that the file is in; `branch` absent: the current HEAD. */
  readonly git: {
    readonly remote: string;
    readonly branch?: string;
    readonly pollMs: number;
    /** Which commits must be signed. Paths are as written: from the folder of the file. */
    readonly verify: 'off' | 'head' | 'range';
    readonly allowedSigners?: string;
    readonly openpgpKeys?: string;
    readonly webhook?: { readonly secretFile: string };
  };
  readonly network: {
    readonly interface: string;
    /** The server's IPv4 address where the interface has several. */
    readonly address?: string;
    readonly dhcp: {
      readonly mode: 'full' | 'proxy' | 'off';
      /** Required with `full`. */
      readonly range?: AddressRange;
      readonly leaseMs: number;
      readonly router?: string;
      readonly dns: readonly string[];
      readonly domain?: string;
    };
    readonly http: { readonly port: number };
    /** `host:port`, or `unix:/path` for a socket. */
    readonly status: string;
  };
  /** `keep`: catalogs that stay, and garbage is collected after each publish. Absent: only when a person asks for it. */
  readonly store: {
    readonly path: string;
    readonly keep?: number;
    /** Host and repository of a registry. */
    readonly oci?: string;
    /** Path of a file in the form of Docker's `config.json`. */
    readonly credentials?: string;
    readonly plainHttp?: boolean;
  };
  /** Who builds a new commit: this machine, or somebody who pushes it to the registry. */
  readonly build: 'local' | 'registry';
  /** Minisign public keys, base64 (`RWQ…`). Empty: the key pair in the state directory. */
  readonly trust: { readonly publicKeys: readonly string[] };
  readonly bootstrap: { readonly cmdline: string };
  /** `timeoutMs` -1: wait for ever. */
  readonly menu: Catalog['menu'];
  readonly swarm: SwarmLimits;
  /** What sources may reach on the builder: private hosts, and directories with root trees. */
  readonly sources: {
    readonly hosts: readonly string[];
    readonly directories: readonly string[];
    readonly plainHttp: readonly string[];
    readonly commands: boolean;
  };
  readonly groups: readonly Group[];
}
