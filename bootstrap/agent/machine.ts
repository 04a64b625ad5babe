import type { Arch } from '#bundle/manifest.ts';
import type { Host } from './host.ts';
import type { BootParameters } from './parameters.ts';
import type { Machine } from './phases.ts';

export function lookAtMachine(host: Host, { mac }: BootParameters): Machine {
  const [kernelRelease = '', hardware = ''] = host.run(['uname', '-rm']).stdout.trim().split(' ');
  const arch: Arch = hardware === 'aarch64' ? 'arm64' : 'amd64';
  return { mac, arch, kernelRelease };
}
