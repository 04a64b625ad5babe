import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import type { Mac } from '#bundle/digest.ts';
import type { QemuStart } from '#bundle/start.ts';
import { bootDiskText, makeBootDisk } from '#runtime/lab/boot-disk.ts';
import { openProcessHost } from '../../process-host.ts';
import { startTerminal } from './console-program.ts';
import { qemuArguments } from './qemu-arguments.ts';

const machine: QemuStart = {
  ...({ method: 'qemu', firmware: 'bios', cpu: 'host', cpus: 1, memoryBytes: 64 * 1024 * 1024 } as const),
  ...({ display: 'serial', network: 'user', disks: [], arguments: [], restart: 'never' } as const),
};
/** Its loader and libraries come first where it is a part of the bootstrap; here it is this machine's own. */
const ownLoader = 4;

it.each(['ide', 'virtio', 'scsi', 'nvme'] as const)(
  'qemuArguments() start a machine from its %s disk',
  async (kind) => {
    const host = openProcessHost();
    const disk = `${host.workPath}/a,disk.img`;
    await makeBootDisk(disk);
    const before = createHash('sha256').update(readFileSync(disk)).digest('hex');
    const start = { ...machine, disks: [{ file: 'a,disk.img', format: 'raw', interface: kind }] } as const;
    const screen = `${host.workPath}/screen`;
    host.writeText(screen, '');
    const program = startTerminal({ ...host, consoles: () => [`..${screen}`] }, (serialLog) => {
      const paths = { tools: '/none', files: { 'a,disk.img': disk }, uefiVariables: '', serialLog, tapScript: '' };
      const argv = qemuArguments(start, paths, { hasKvm: false, mac: '52:54:00:aa:00:01' as Mac });
      return ['env', `TMPDIR=${host.workPath}`, 'qemu-system-x86_64', ...argv.slice(ownLoader)];
    });
    for (let tries = 0; tries < 300 && !readFileSync(screen, 'latin1').includes(bootDiskText); tries += 1)
      host.sleep(50);
    program.stop();
    expect(readFileSync(screen, 'latin1')).toContain(bootDiskText);
    expect(program.output()).toContain(bootDiskText);
    expect(createHash('sha256').update(readFileSync(disk)).digest('hex')).toBe(before);
    host.remove();
  },
);
