import { expect, it } from 'vitest';
import { moduleClosure } from './kernel-modules.ts';

const modulesDep = [
  'kernel/drivers/net/virtio_net.ko.xz: kernel/net/core/failover.ko.xz kernel/drivers/net/net_failover.ko.xz',
  'kernel/drivers/net/net_failover.ko.xz: kernel/net/core/failover.ko.xz',
  'kernel/net/core/failover.ko.xz:',
  'kernel/drivers/char/hw_random/virtio-rng.ko.xz:',
  '',
].join('\n');
const builtin = 'kernel/drivers/virtio/virtio_pci.ko\n';

it('moduleClosure() brings what a module needs, once', () => {
  expect(moduleClosure(['virtio_net', 'net_failover'], { modulesDep, builtin })).toEqual([
    'kernel/drivers/net/net_failover.ko.xz',
    'kernel/drivers/net/virtio_net.ko.xz',
    'kernel/net/core/failover.ko.xz',
  ]);
});

it('moduleClosure() takes - and _ for the same, and leaves out what is built in', () => {
  expect(moduleClosure(['virtio_rng', 'virtio-pci'], { modulesDep, builtin })).toEqual([
    'kernel/drivers/char/hw_random/virtio-rng.ko.xz',
  ]);
});

it('moduleClosure() refuses a module that this kernel does not have', () => {
  expect(() => moduleClosure(['nosuch'], { modulesDep, builtin })).toThrow(
    expect.objectContaining({ code: 'MODULE_UNKNOWN' }),
  );
});
