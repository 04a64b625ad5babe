import { spawn } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Component } from '../component.ts';
import { inside, type LabNetwork } from './network.ts';

/**
 * Answers router solicitations with "no router here, no prefix". Without an answer iPXE waits for IPv6 although DHCP is
 * long done: 13 s with QEMU's ROM of 2019, 4 s with a present one.
 */
export function routerAdvertisements(network: LabNetwork, statePath: string): Component {
  return { name: 'radvd', run: (signal) => run(network, statePath, signal) };
}

async function run(network: LabNetwork, statePath: string, signal: AbortSignal): Promise<void> {
  const configPath = join(statePath, 'radvd.conf');
  const config = [
    `interface ${network.interface} {`,
    ' AdvSendAdvert on; AdvDefaultLifetime 0; AdvManagedFlag off; AdvOtherConfigFlag off;',
    ' MinRtrAdvInterval 200; MaxRtrAdvInterval 600;',
    '};',
  ];
  await writeFile(configPath, `${config.join('\n')}\n`);
  const argv = inside(network.server, [
    'radvd',
    '-n',
    '-C',
    configPath,
    '-p',
    join(statePath, 'radvd.pid'),
    '-m',
    'stderr',
  ]);
  const child = spawn(argv[0] as string, argv.slice(1), { stdio: 'ignore' });
  const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  signal.addEventListener('abort', () => child.kill('SIGTERM'), { once: true });
  await gone;
}
