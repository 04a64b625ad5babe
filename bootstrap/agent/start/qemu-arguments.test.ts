import { expect, it } from 'vitest';
import type { Mac } from '#bundle/digest.ts';
import type { QemuStart } from '#bundle/start.ts';
import { guestMac, type QemuPaths, qemuArguments } from './qemu-arguments.ts';

const start: QemuStart = {
  method: 'qemu',
  ...({
    firmware: 'bios',
    cpu: 'host',
    cpus: 2,
    memoryBytes: 512 * 1024 * 1024,
    display: 'serial',
    network: 'user',
  } as const),
  ...({ disks: [], arguments: [], restart: 'never' } as const),
};
const paths: QemuPaths = {
  tools: '/q',
  files: { 'a.img': '/f/a.img', 'b,c.qcow2': '/f/b,c.qcow2', 'x.iso': '/f/x.iso', 'f.img': '/f/f.img' },
  uefiVariables: '/m/vars.fd',
  serialLog: '/work/kept',
  tapScript: '/run/tap',
};
const node = { hasKvm: true, mac: '52:54:00:aa:00:01' as Mac };

it('qemuArguments() of a small machine', () => {
  expect(qemuArguments(start, paths, node).join('\n')).toMatchInlineSnapshot(`
    "/q/lib/ld.so
    --library-path
    /q/lib
    /q/bin/qemu-system-x86_64
    -L
    /q/share/qemu
    -nodefaults
    -no-user-config
    -accel
    kvm
    -cpu
    host
    -smp
    2
    -m
    512M
    -machine
    pc,graphics=off
    -chardev
    stdio,id=console,mux=on,signal=off,logfile=/work/kept
    -serial
    chardev:console
    -mon
    chardev=console,mode=readline
    -display
    none
    -netdev
    user,id=net0
    -device
    virtio-net-pci,netdev=net0,romfile=,mac=5a:54:00:aa:00:01
    -device
    virtio-rng-pci"
  `);
});

it('qemuArguments() ends in the arguments of the definition, each as it is', () => {
  const given = ['-smbios', `type=1,serial=a,,b`, `-fw_cfg name=x,string="it's $HOME \\\\ 100%"`, ''];
  expect(qemuArguments({ ...start, arguments: given }, paths, node).slice(-given.length)).toEqual(given);
});

it('qemuArguments() without KVM emulates, and asks for no processor that only KVM knows', () => {
  const argv = (cpu: string) => qemuArguments({ ...start, cpu }, paths, { ...node, hasKvm: false }).join(' ');
  expect(argv('host,-avx')).toContain('-accel tcg,thread=multi -cpu max,-avx ');
  expect(argv('qemu64')).toContain('-cpu qemu64 ');
});

it('qemuArguments() writes to no file of the bundle', () => {
  const disks = [
    { file: 'a.img', format: 'raw', interface: 'virtio' },
    { file: 'b,c.qcow2', format: 'qcow2', interface: 'nvme' },
  ] as const;
  const argv = qemuArguments({ ...start, disks, cdrom: 'x.iso', floppy: 'f.img' }, paths, node);
  const drives = argv.filter((one) => one.includes('file=/f/'));
  expect(drives).toEqual([
    'if=floppy,index=0,format=raw,snapshot=on,file=/f/f.img',
    'if=none,id=cdrom,media=cdrom,format=raw,readonly=on,file=/f/x.iso',
    'if=none,id=disk0,format=raw,snapshot=on,werror=report,file=/f/a.img',
    'if=none,id=disk1,format=qcow2,snapshot=on,werror=report,file=/f/b,,c.qcow2',
  ]);
});

it('qemuArguments() starts from a CD before disks, and has a controller for SCSI', () => {
  const disks = [{ file: 'a.img', format: 'raw', interface: 'scsi' }] as const;
  const argv = qemuArguments({ ...start, disks, cdrom: 'x.iso' }, paths, node);
  expect(argv).toContain('ide-cd,drive=cdrom,bootindex=0');
  expect(argv).toContain('virtio-scsi-pci,id=scsi');
  expect(argv).toContain('scsi-hd,bus=scsi.0,drive=disk0,bootindex=1');
});

it('qemuArguments() with UEFI, a screen and a bridge', () => {
  const argv = qemuArguments({ ...start, firmware: 'uefi', display: 'vga', network: 'bridge' }, paths, node).join(' ');
  expect(argv).toContain('-machine q35 ');
  expect(argv).toContain('readonly=on -drive if=pflash,format=raw,file=/m/vars.fd');
  expect(argv).toContain('-device VGA -display vnc=:0');
  expect(argv).toContain('-netdev tap,id=net0,script=/run/tap,downscript=no');
  expect(argv).toContain('mac=5a:54:00:aa:00:01');
});

it.each(['52:54:00:aa:00:01', '00:1b:21:00:00:01', '0a:00:00:00:00:01'])(
  'guestMac() of %s is locally administered, unicast, and another one',
  (text) => {
    const first = Number.parseInt(guestMac(text as Mac).slice(0, 2), 16);
    expect(first & 0x03).toBe(0x02);
    expect(guestMac(text as Mac)).not.toBe(text);
  },
);
