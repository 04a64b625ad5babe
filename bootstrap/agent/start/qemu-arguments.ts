import type { Mac } from '#bundle/digest.ts';
import type { QemuDisk, QemuStart } from '#bundle/start.ts';

/** Where the things are that a virtual machine is made of. */
export interface QemuPaths {
  /** Where the part `qemu` is mounted. */
  readonly tools: string;
  /** The bundle's files by name. */
  readonly files: Readonly<Record<string, string>>;
  /** A copy of UEFI's variables, in RAM. */
  readonly uefiVariables: string;
  /** A pipe: what the guest prints on its serial line goes there too. */
  readonly serialLog: string;
  /** A program that QEMU calls with the name of the guest's network interface. */
  readonly tapScript: string;
}

/** What of the node the virtual machine depends on. */
export interface QemuNode {
  readonly hasKvm: boolean;
  readonly mac: Mac;
}

/**
 * QEMU's arguments: pure. The definition's own come last, each as it is.
 *
 * Nothing is written to the files of the bundle, which are seeded meanwhile: every disk has a layer of its own in RAM.
 * What is put into the machine to start from comes before what is built in: floppy, then CD, then disks.
 */
export function qemuArguments(start: QemuStart, paths: QemuPaths, node: QemuNode): readonly string[] {
  const { tools } = paths;
  const isUefi = start.firmware === 'uefi';
  return [
    ...[`${tools}/lib/ld.so`, '--library-path', `${tools}/lib`, `${tools}/bin/qemu-system-x86_64`],
    ...['-L', `${tools}/share/qemu`, '-nodefaults', '-no-user-config'],
    ...(node.hasKvm ? ['-accel', 'kvm'] : ['-accel', 'tcg,thread=multi']),
    // QEMU knows the node's own processor under KVM only; `max` is all that it can emulate.
    ...['-cpu', node.hasKvm || !/^host\b/.test(start.cpu) ? start.cpu : start.cpu.replace('host', 'max')],
    ...['-smp', String(start.cpus), '-m', `${Math.floor(start.memoryBytes / 1024 / 1024)}M`],
    // Without a screen, the BIOS and what asks it for text are on the serial line.
    ...['-machine', `${isUefi ? 'q35' : 'pc'}${start.display === 'serial' ? ',graphics=off' : ''}`],
    ...(isUefi ? uefi(paths) : []),
    ...['-chardev', `stdio,id=console,mux=on,signal=off,logfile=${comma(paths.serialLog)}`],
    ...['-serial', 'chardev:console', '-mon', 'chardev=console,mode=readline'],
    ...(start.display === 'vga' ? ['-device', 'VGA', '-display', 'vnc=:0'] : ['-display', 'none']),
    ...drives(start, paths),
    ...network(start, { ...paths, ...node }),
    ...['-device', 'virtio-rng-pci'],
    ...start.arguments,
  ];
}

/** A MAC for the guest that no node has: locally administered, and always another one than the node's. */
export function guestMac(mac: Mac): Mac {
  const first = (Number.parseInt(mac.slice(0, 2), 16) | 0x02) ^ 0x08;
  return `${first.toString(16).padStart(2, '0')}${mac.slice(2)}` as Mac;
}

function uefi({ tools, uefiVariables }: QemuPaths): readonly string[] {
  const flash = (path: string, readOnly: string) => `if=pflash,format=raw,file=${comma(path)}${readOnly}`;
  const code = `${tools}/share/OVMF/OVMF_CODE_4M.fd`;
  return ['-drive', flash(code, ',readonly=on'), '-drive', flash(uefiVariables, '')];
}

function drives(start: QemuStart, paths: QemuPaths): readonly string[] {
  const { disks, cdrom, floppy } = start;
  const path = (name: string) => comma(paths.files[name] ?? name);
  return [
    ...(floppy === undefined
      ? []
      : ['-drive', `if=floppy,index=0,format=raw,snapshot=on,file=${path(floppy)}`, '-boot', 'order=a']),
    ...(cdrom === undefined
      ? []
      : ['-drive', `if=none,id=cdrom,media=cdrom,format=raw,readonly=on,file=${path(cdrom)}`]),
    ...(cdrom === undefined ? [] : ['-device', `ide-cd,drive=cdrom${bootIndex(start, 0)}`]),
    ...(disks.some((disk) => disk.interface === 'scsi') ? ['-device', 'virtio-scsi-pci,id=scsi'] : []),
    ...disks.flatMap((disk, index) => [
      ...['-drive', `if=none,id=disk${index},format=${disk.format},${copyOnWrite},file=${path(disk.file)}`],
      ...['-device', `${diskDevice(disk, index)}${bootIndex(start, index + 1)}`],
    ]),
  ];
}

/** When RAM is full the guest sees a write error: by default QEMU would stop it without a word. */
const copyOnWrite = 'snapshot=on,werror=report';

/** With a floppy the BIOS goes by its own order: it does not know floppies in ours. */
function bootIndex({ floppy }: QemuStart, index: number): string {
  return floppy === undefined ? `,bootindex=${index}` : '';
}

function diskDevice(disk: QemuDisk, index: number): string {
  const drive = `drive=disk${index}`;
  switch (disk.interface) {
    case 'virtio':
      return `virtio-blk-pci,${drive}`;
    case 'ide':
      return `ide-hd,${drive}`;
    case 'scsi':
      return `scsi-hd,bus=scsi.0,${drive}`;
    case 'nvme':
      return `nvme,serial=disk${index},${drive}`;
    default:
      return disk.interface satisfies never;
  }
}

function network(start: QemuStart, { tapScript, mac }: QemuPaths & QemuNode): readonly string[] {
  if (start.network === 'none') return ['-nic', 'none'];
  const device = ['-device', `virtio-net-pci,netdev=net0,romfile=,mac=${guestMac(mac)}`];
  if (start.network === 'user') return ['-netdev', 'user,id=net0', ...device];
  return ['-netdev', `tap,id=net0,script=${comma(tapScript)},downscript=no`, ...device];
}

/** A comma ends a value; doubled, it is part of it. */
function comma(text: string): string {
  return text.replaceAll(',', ',,');
}
