import { nbpOf } from '../boot/firmware.ts';
import { scriptUrl } from '../boot/ipxe.ts';
import { type Ipv4, zeroAddress } from './address.ts';
import { type DhcpOption, optionCode } from './options.ts';
import { fileLimit, textBytes } from './packet.ts';
import { type DhcpRequest, isHttpRequest } from './request.ts';
import type { DhcpView } from './view.ts';

/** The part of an answer that tells what to boot. */
export interface BootFields {
  readonly siaddr: Ipv4;
  readonly file: string;
  readonly options: readonly DhcpOption[];
}

/**
 * PXE discovery control (option 43.6) with bit 3 alone: "do not prompt, do not discover, load the boot file of this
 * offer"; then the end mark of the vendor options (PXE 2.1, table 2-1). EDK2 and Intel's ROMs boot with it at once.
 */
const loadBootFile = Uint8Array.of(6, 1, 8, 255);

/** `no-pxedhcp` (sub-option 176) of iPXE: without it iPXE waits some seconds for the offer of a proxyDHCP server. */
const noProxy = Uint8Array.of(176, 1, 1);

/**
 * What a node is told to boot, or undefined where there is nothing for it: an operating system, or firmware without an
 * NBP. iPXE, which all our NBPs are, gets the address of its boot script and never an NBP: no loop.
 */
export function bootFields(request: DhcpRequest, view: DhcpView): BootFields | undefined {
  if (request.speaker === 'ipxe') return ipxeFields(request, view);
  if (isHttpRequest(request)) return httpFields(request, view);
  const nbp = nbpOf(request.firmware);
  if (request.vendorClass !== 'PXEClient' || nbp === undefined) return undefined;
  return {
    siaddr: view.subnet.address,
    file: nbp,
    options: [vendorClass('PXEClient'), { code: optionCode.vendorSpecific, value: loadBootFile }],
  };
}

/**
 * No option 43: QEMU's iPXE ROM took a discovery control for a boot menu, and asked for it for ever. Both `siaddr` and
 * `file`, even with a URL in `file`: iPXE ignores a proxy's offer in which one of them is missing (dhcp_has_pxeopts).
 */
function ipxeFields(request: DhcpRequest, view: DhcpView): BootFields {
  return {
    siaddr: view.subnet.address,
    file: scriptUrl(view.bootServer, request.mac, request.firmware),
    options: [view.mode === 'proxy' ? vendorClass('PXEClient') : { code: optionCode.ipxe, value: noProxy }],
  };
}

/** UEFI HTTP boot takes no offer without option 60 `HTTPClient` (UEFI specification §24.7.3). */
function httpFields(request: DhcpRequest, view: DhcpView): BootFields | undefined {
  const url = view.httpBootUrls[request.firmware];
  if (url === undefined) return undefined;
  const bootfile = { code: optionCode.bootfile, value: textBytes(url, 1024) };
  return {
    siaddr: zeroAddress,
    file: url.length <= fileLimit ? url : '',
    options: [vendorClass('HTTPClient'), bootfile],
  };
}

function vendorClass(name: 'PXEClient' | 'HTTPClient'): DhcpOption {
  return { code: optionCode.vendorClass, value: textBytes(name) };
}
