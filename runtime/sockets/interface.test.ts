import { expect, test } from 'vitest';
import { chooseAddress } from './interface.ts';

const inet = (local: string, prefixlen: number) => ({ family: 'inet', local, prefixlen });
const links = [
  { ifname: 'lo', addr_info: [inet('127.0.0.1', 8)] },
  {},
  { ifname: 'eth1', addr_info: [inet('10.20.0.1', 20)] },
  { ifname: 'eth2', addr_info: [inet('10.30.0.1', 24), inet('10.30.0.2', 24)] },
];

test('chooseAddress() gives the one address of an interface, with its netmask', () => {
  expect(chooseAddress(links, 'eth1')).toEqual({ address: '10.20.0.1', netmask: '255.255.240.0' });
  expect(chooseAddress(links, 'eth2', '10.30.0.2')).toEqual({ address: '10.30.0.2', netmask: '255.255.255.0' });
});

test.each([
  ['eth2', undefined, 'Set network.address to one of them'],
  ['eth1', '10.20.0.2', 'Correct network.address'],
  ['eth9', undefined, 'Set network.interface to one of: eth1, eth2'],
])('chooseAddress() says what to do about %s with %s', (name, wanted, hint) => {
  expect(() => chooseAddress(links, name, wanted)).toThrow(
    expect.objectContaining({ code: 'INTERFACE_UNKNOWN', hint }),
  );
});
