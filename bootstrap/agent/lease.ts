/** What the DHCP server gave, as the lease script wrote it down. */
export interface Lease {
  readonly address: string;
  readonly router?: string;
  readonly dns: readonly string[];
  readonly hostname?: string;
  readonly domain?: string;
  readonly leaseSeconds?: number;
}

/** Reads `key=value` lines. Values that do not have their form are left out: they go into files of the target. */
export function parseLease(text: string): Lease | undefined {
  const fields = new Map(text.split('\n').map((line) => [line.split('=')[0] ?? '', line.slice(line.indexOf('=') + 1)]));
  const get = (key: string, pattern: RegExp): string | undefined => {
    const value = fields.get(key)?.trim();
    return value !== undefined && pattern.test(value) ? value : undefined;
  };
  const address = get('address', ipv4);
  if (address === undefined) return undefined;
  const router = get('router', ipv4);
  const hostname = get('hostname', hostName);
  const domain = get('domain', domainName);
  const seconds = get('lease', /^[0-9]{1,10}$/);
  return {
    address,
    dns: (fields.get('dns') ?? '').split(' ').filter((one) => ipv4.test(one)),
    ...(router !== undefined && { router }),
    ...(hostname !== undefined && { hostname }),
    ...(domain !== undefined && { domain }),
    ...(seconds !== undefined && { leaseSeconds: Number(seconds) }),
  };
}

const ipv4 = /^[0-9]{1,3}(\.[0-9]{1,3}){3}$/;
const hostName = /^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?$/;
const domainName = /^[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$/;
