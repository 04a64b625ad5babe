/** An IPv4 address as a number; undefined where the text is none (four decimal octets without leading zeros). */
export function parseIpv4(text: string): number | undefined {
  const octets = text.split('.');
  if (octets.length !== 4 || !octets.every((octet) => /^(0|[1-9][0-9]{0,2})$/.test(octet) && Number(octet) < 256)) {
    return undefined;
  }
  return octets.reduce((sum, octet) => sum * 256 + Number(octet), 0);
}

/** What is wrong with an address pool; undefined when nothing is. */
export function rangeProblem(first: string, last: string): string | undefined {
  const [from, to] = [parseIpv4(first), parseIpv4(last)];
  if (from === undefined) return `${JSON.stringify(first)} is no IPv4 address`;
  if (to === undefined) return `${JSON.stringify(last)} is no IPv4 address`;
  if (from > to) return `${first} comes after ${last}`;
  if (Math.floor(from / 256) !== Math.floor(to / 256)) return `${first} and ${last} are not in one /24 network`;
  if (from % 256 === 0) return `${first} is the address of the network itself`;
  if (to % 256 === 255) return `${last} is the broadcast address`;
  if (from >= 0xe0000000 || from < 0x01000000 || Math.floor(from / 2 ** 24) === 127) {
    return `${first} is no address that a node can have`;
  }
  return undefined;
}
