import { expect, test } from 'vitest';
import { boundTo } from './bound.ts';
import { inheritedSockets } from './inherit.ts';

const given = { LISTEN_PID: '42', LISTEN_FDS: '3', LISTEN_FDNAMES: 'dhcp:pxe:tftp' };

test('inheritedSockets() counts descriptors from 3 in the order of their names', () => {
  expect(inheritedSockets(given, 42)).toEqual({ dhcp: 3, pxe: 4, tftp: 5 });
  expect(inheritedSockets({ ...given, LISTEN_FDS: '1', LISTEN_FDNAMES: 'tftp' }, 42)).toEqual({ tftp: 3 });
});

test('inheritedSockets() takes nothing that was meant for another process', () => {
  expect(inheritedSockets(given, 43)).toEqual({});
  expect(inheritedSockets({}, 42)).toEqual({});
});

test.each([
  { ...given, LISTEN_FDS: '2' },
  { ...given, LISTEN_FDNAMES: 'dhcp:dhcp:tftp' },
  { ...given, LISTEN_FDNAMES: 'dhcp:pxe:http' },
  { LISTEN_PID: '42', LISTEN_FDS: '3' },
])('inheritedSockets() refuses %j', (environment) => {
  expect(() => inheritedSockets(environment, 42)).toThrow(expect.objectContaining({ code: 'SOCKETS_INVALID' }));
});

test('boundTo() reads the interface of a socket by its inode', () => {
  const listing = `UNCONN 0      0      0.0.0.0%eth1:67        0.0.0.0:*    ino:12345 sk:1 cgroup:/ <->
UNCONN 0      0            0.0.0.0:69        0.0.0.0:*    ino:123 sk:2 cgroup:/ <->`;
  expect([
    boundTo(listing, '12345'),
    boundTo(listing, '123'),
    boundTo(listing, '1'),
    boundTo(listing, undefined),
  ]).toEqual(['eth1', undefined, undefined, undefined]);
});
