import type { Group, SwarmLimits } from '#bundle/catalog.ts';
import type { Site } from './site.ts';
import type { SiteFile } from './site-schema.ts';
import { parseDuration, parseSize } from './units.ts';

/** A checked file with its defaults filled in. */
export function siteOf(file: SiteFile): Site {
  const { dhcp = {}, http = {}, interface: name, address, status } = file.network;
  return {
    site: file.site,
    git: gitOf(file.git ?? {}),
    network: {
      interface: name,
      ...(address !== undefined && { address }),
      dhcp: dhcpOf(dhcp),
      http: { port: http.port ?? 8480 },
      status: status ?? '127.0.0.1:8470',
    },
    store: {
      path: file.store?.path ?? '.boottorrent/store',
      ...(file.store?.keep !== undefined && { keep: file.store.keep }),
      ...(file.store?.oci !== undefined && { oci: file.store.oci }),
      ...(file.store?.credentials !== undefined && { credentials: file.store.credentials }),
      ...(file.store?.plainHttp !== undefined && { plainHttp: file.store.plainHttp }),
    },
    build: file.build ?? (file.store?.oci === undefined ? 'local' : 'registry'),
    trust: { publicKeys: file.trust?.publicKeys ?? [] },
    bootstrap: { cmdline: file.bootstrap?.cmdline ?? 'console=tty0 console=ttyS0' },
    menu: {
      default: file.menu.default,
      timeoutMs: milliseconds(file.menu.timeout ?? '10s'),
      shell: file.menu.shell ?? false,
    },
    swarm: swarmOf(file.swarm ?? {}),
    sources: { hosts: [], directories: [], plainHttp: [], commands: false, ...file.sources },
    groups: (file.groups ?? []).map(groupOf),
  };
}

function gitOf(git: NonNullable<SiteFile['git']>): Site['git'] {
  const { remote, branch, poll, verify, allowedSigners, openpgpKeys, webhook } = git;
  return {
    remote: remote ?? '.',
    ...(branch !== undefined && { branch }),
    pollMs: milliseconds(poll ?? '15s'),
    verify: verify ?? 'off',
    ...(allowedSigners !== undefined && { allowedSigners }),
    ...(openpgpKeys !== undefined && { openpgpKeys }),
    ...(webhook && { webhook }),
  };
}

function dhcpOf(dhcp: NonNullable<SiteFile['network']['dhcp']>): Site['network']['dhcp'] {
  const [first, last] = dhcp.range ?? [];
  return {
    mode: dhcp.mode ?? 'full',
    ...(first !== undefined && last !== undefined && { range: [first, last] as const }),
    leaseMs: milliseconds(dhcp.lease ?? '12h'),
    ...(dhcp.router !== undefined && { router: dhcp.router }),
    dns: dhcp.dns ?? [],
    ...(dhcp.domain !== undefined && { domain: dhcp.domain }),
  };
}

function swarmOf({ seedBudget, uploadLimit }: NonNullable<SiteFile['swarm']>): SwarmLimits {
  const uploadBytesPerSecond = uploadLimit === undefined ? undefined : parseSize(uploadLimit);
  return {
    seedBudgetMs: milliseconds(seedBudget ?? '30s'),
    ...(uploadBytesPerSecond !== undefined && { uploadBytesPerSecond }),
  };
}

function groupOf({ name, match, image, images, cmdline }: NonNullable<SiteFile['groups']>[number]): Group {
  return {
    name,
    match: {
      ...(match.mac && { mac: match.mac.map((pattern) => pattern.toLowerCase().replaceAll('-', ':')) }),
      ...(match.arch && { arch: match.arch }),
    },
    ...(image !== undefined && { image }),
    ...(images && { images }),
    ...(cmdline !== undefined && { cmdline }),
  };
}

function milliseconds(written: string | number): number {
  return typeof written === 'number' ? written : (parseDuration(written) ?? 0);
}
