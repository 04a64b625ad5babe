import { writeFile } from 'node:fs/promises';

/** What a BIOS machine of the lab prints on its serial line when it has booted its local disk. */
export const bootDiskText = 'BootTorrent lab: this is the local disk';

/**
 * A boot sector: prints {@link bootDiskText} on the first serial port, then halts.
 *
 *     cli; xor ax,ax; mov ds,ax; mov si,text
 *     next: lodsb; test al,al; jz end; mov ah,al
 *     wait: mov dx,0x3fd; in al,dx; test al,0x20; jz wait; mov al,ah; mov dx,0x3f8; out dx,al; jmp next
 *     end:  hlt; jmp end
 */
const program = [
  ...[0xfa, 0x31, 0xc0, 0x8e, 0xd8, 0xbe, 0x22, 0x7c],
  ...[0xac, 0x84, 0xc0, 0x74, 0x12, 0x88, 0xc4, 0xba, 0xfd, 0x03],
  ...[0xec, 0xa8, 0x20, 0x74, 0xfb, 0x88, 0xe0, 0xba, 0xf8, 0x03, 0xee, 0xeb, 0xe9],
  ...[0xf4, 0xeb, 0xfd],
];

/** Writes a disk of 1 MiB that a BIOS boots. */
export async function makeBootDisk(path: string): Promise<void> {
  const disk = Buffer.alloc(1024 * 1024);
  disk.set([...program, ...Buffer.from(`\r\n${bootDiskText}\r\n\0`)]);
  disk.writeUInt16BE(0x55aa, 510);
  await writeFile(path, disk);
}

/** QEMU's arguments for a disk, after the network card in the order of booting. */
export function diskArguments(path: string): readonly string[] {
  return ['-drive', `if=none,id=d0,format=raw,file=${path}`, '-device', 'ide-hd,drive=d0,bootindex=9'];
}
