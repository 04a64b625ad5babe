import type { Digest } from '#bundle/digest.ts';
import { type Firmware, firmwareNames } from './boot/firmware.ts';
import { autoexecScript } from './boot/ipxe.ts';
import { type Menu, nbpFiles, type Server } from './boot/menu.ts';
import type { TftpFile } from './tftp/content.ts';

export interface TftpFilesOptions {
  readonly menu: () => Menu | undefined;
  readonly server: () => Server;
  readonly blobPath: (digest: Digest) => string;
  /** Whether a blob is still as it was when it was verified. */
  readonly isUnchanged: (digest: Digest) => Promise<boolean>;
  /** The firmware that the node at an address named in DHCP. */
  readonly firmwareAt: (address: string) => string | undefined;
}

/** The names that TFTP knows: the boot programs of the served bootstrap, and the script that UEFI iPXE looks for. */
export function tftpFileOf(options: TftpFilesOptions): (name: string, address: string) => TftpFile | undefined {
  return (asked, address) => {
    const name = asked.replace(/^\/+/, '');
    if (name === 'autoexec.ipxe') {
      const script = autoexecScript(options.server().url, firmwareOf(options.firmwareAt(address)));
      return { bytes: Buffer.from(script) };
    }
    const menu = options.menu();
    const file = menu && nbpFiles(menu).get(name);
    const isUnchanged = () => options.isUnchanged(file?.sha256 as Digest);
    return file && { path: options.blobPath(file.sha256), sizeBytes: file.sizeBytes, isUnchanged };
  };
}

/** Beside proxyDHCP the address was given by another server: what asks for this file is UEFI, and mostly x64. */
function firmwareOf(name: string | undefined): Firmware {
  return firmwareNames.find((one) => one === name) ?? 'uefi-x64';
}
