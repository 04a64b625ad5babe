import type { Mac } from '#bundle/digest.ts';
import type { DirectBoot } from './direct-boot.ts';

export type LabFirmware = 'bios' | 'uefi';

/** A diskless virtual machine of the lab. */
export interface MachineOptions {
  /** `node1`, `node2`, …: also the host part of its folder. */
  readonly name: string;
  readonly mac: Mac;
  readonly tap: string;
  readonly firmware: LabFirmware;
  readonly memoryMiB: number;
  readonly kvm: boolean;
  /** The bootstrap, loaded by QEMU itself. Absent: the firmware boots from the network. */
  readonly direct?: DirectBoot;
  /** Further arguments of QEMU: a disk, another clock. */
  readonly extra?: readonly string[];
  /** Where its QMP socket and copies of firmware variables are. */
  readonly folder: string;
}

export const uefiCode = '/usr/share/OVMF/OVMF_CODE_4M.fd';
export const uefiVariables = '/usr/share/OVMF/OVMF_VARS_4M.fd';

/** Path of the socket on which QEMU takes orders. */
export function qmpPath(folder: string): string {
  return `${folder}/qmp.sock`;
}

/** The MAC of the n-th node (1, 2, …): locally administered by QEMU's usual prefix. */
export function nodeMac(index: number): Mac {
  return `52:54:00:b7:00:${index.toString(16).padStart(2, '0')}` as Mac;
}

/**
 * QEMU's arguments: no disk, one NIC, network boot first, the serial console on standard input and output.
 * With `romfile=` empty, OVMF's own network stack boots (as on a real UEFI machine), not iPXE's option ROM.
 */
export function machineArguments(options: MachineOptions): readonly string[] {
  const uefi = options.firmware === 'uefi';
  const boots = options.direct ? '' : ',bootindex=0';
  const nic = `virtio-net-pci,netdev=n0,mac=${options.mac}${boots}${uefi || options.direct ? ',romfile=' : ''}`;
  return [
    'qemu-system-x86_64',
    ...['-name', options.name],
    ...(options.kvm ? ['-accel', 'kvm', '-cpu', 'host'] : ['-accel', 'tcg,thread=multi', '-cpu', 'qemu64']),
    // Without graphics, SeaBIOS and its option ROMs talk on the serial console.
    ...['-machine', `${uefi ? 'q35' : 'pc'},graphics=off`],
    ...(uefi ? uefiDrives(options.folder) : []),
    ...['-m', String(options.memoryMiB), '-smp', '1'],
    ...['-uuid', machineUuid(options.mac)],
    ...['-netdev', `tap,id=n0,ifname=${options.tap},script=no,downscript=no`, '-device', nic],
    ...['-device', 'virtio-rng-pci'],
    ...['-display', 'none', '-monitor', 'none', '-serial', 'stdio'],
    ...['-qmp', `unix:${qmpPath(options.folder)},server=on,wait=off`],
    '-nodefaults',
    // A reset would start the same kernel with the session of the boot before.
    ...(options.direct ? [...directArguments(options.direct), '-no-reboot'] : []),
    ...(options.extra ?? []),
  ];
}

function directArguments({ kernel, initrd, cmdline }: DirectBoot): readonly string[] {
  return ['-kernel', kernel, '-initrd', initrd, '-append', cmdline];
}

function uefiDrives(folder: string): readonly string[] {
  const flash = (file: string, readOnly: boolean) =>
    `if=pflash,format=raw,file=${file}${readOnly ? ',readonly=on' : ''}`;
  return ['-drive', flash(uefiCode, true), '-drive', flash(`${folder}/uefi-variables.fd`, false)];
}

/** QEMU's default UUID is all zeros, for every machine: derive one from the MAC. */
function machineUuid(mac: Mac): string {
  return `b0070000-7047-4b00-8000-${mac.replaceAll(':', '')}`;
}
