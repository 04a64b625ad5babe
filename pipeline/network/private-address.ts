import { lookup as resolve } from 'node:dns';
import { BlockList, isIP, type LookupFunction } from 'node:net';
import type { Fault } from '#bundle/fault.ts';

/** Whether an IPv4 or IPv6 address is for special purposes: nothing in there is a public server. */
export function isPrivate(address: string): boolean {
  // IPv4 within IPv6 (`::ffff:10.0.0.1`) is looked up by the list itself.
  return privateNetworks.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4');
}

/** Whether it is an address of one link: clouds give machines their secrets from there. */
export function isLinkLocal(address: string): boolean {
  return isIP(address) !== 0 && linkLocal.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4');
}

/** A lookup that resolves names as usual, and refuses before the connection when any of the addresses is private. */
export function publicLookup(refuse: (host: string) => Fault): LookupFunction {
  return (host, options, callback) => {
    resolve(host, { ...options, all: true }, (error, addresses) => {
      if (error) return callback(error, []);
      if (addresses.some(({ address }) => isPrivate(address))) return callback(refuse(host), []);
      const [first] = addresses;
      return options.all ? callback(null, addresses) : callback(null, first?.address ?? '', first?.family);
    });
  };
}

/** The host of a URL; of IPv6 without its brackets. */
export function hostOf(url: URL): string {
  return url.hostname.replace(/^\[|\]$/g, '');
}

const privateNetworks = listPrivate();
const linkLocal = new BlockList();
linkLocal.addSubnet('169.254.0.0', 16, 'ipv4');
linkLocal.addSubnet('fe80::', 10, 'ipv6');

/** IANA's special-purpose registries (RFC 6890). */
function listPrivate(): BlockList {
  const list = new BlockList();
  const networks = [
    ...['0.0.0.0/8', '10.0.0.0/8', '100.64.0.0/10', '127.0.0.0/8', '169.254.0.0/16', '172.16.0.0/12', '192.0.0.0/24'],
    ...['192.168.0.0/16', '198.18.0.0/15', '224.0.0.0/3'],
    ...['::/127', '64:ff9b:1::/48', 'fc00::/7', 'fe80::/10', 'ff00::/8'],
  ];
  for (const network of networks) {
    const [address = '', length] = network.split('/');
    list.addSubnet(address, Number(length), address.includes(':') ? 'ipv6' : 'ipv4');
  }
  return list;
}
