import type { ImageRelease } from '#bundle/catalog.ts';
import type { Digest } from '#bundle/digest.ts';
import { Fault } from '#bundle/fault.ts';
import { filesOf } from '#bundle/manifest.ts';
import { isByScript } from '#bundle/start.ts';
import { archOf } from './firmware.ts';
import { blobUrl, type Script, scriptUrl } from './ipxe.ts';
import type { Menu, ScriptRequest, Server } from './menu.ts';
import { offeredTo } from './offered.ts';

/**
 * The image that the boot script of a node carries out by itself (chain, local): what a person chose, or what the site
 * says where nobody is asked. Where there is a menu, the bootstrap is loaded to show it, whatever its default is.
 */
export function handoverImage({ catalog }: Menu, request: Omit<ScriptRequest, 'session'>): ImageRelease | undefined {
  const arch = archOf(request.firmware);
  const offer = arch && offeredTo(catalog, { mac: request.mac, arch });
  if (!offer) return undefined;
  const chosen = offer.offered.find(({ name }) => name === request.chosen);
  const isAsked = offer.offered.length > 1 && catalog.menu.timeoutMs !== 0;
  const image = chosen ?? (isAsked ? undefined : offer.image);
  return image && isByScript(image.start) ? image : undefined;
}

interface HandoverOptions {
  readonly request: Omit<ScriptRequest, 'session'>;
  readonly server: Server;
}

/** The image that a script does hand over to. */
export function handedOver(
  menu: Menu,
  options: HandoverOptions,
): { readonly image: string; readonly manifest: Digest } | undefined {
  const image = handoverImage(menu, options.request);
  try {
    if (!image || !handoverScript(menu, image, options)) return undefined;
    return { image: image.name, manifest: image.manifest.digest };
  } catch (error) {
    if (error instanceof Fault) return undefined;
    throw error;
  }
}

/** The script that hands over. @throws Fault `NBP_MISSING` */
export function handoverScript(menu: Menu, image: ImageRelease, options: HandoverOptions): Script {
  const { request, server } = options;
  const { firmware, mac } = request;
  const common = {
    ...{ firmware, shell: menu.catalog.menu.shell, scriptUrl: scriptUrl(server.url, mac, firmware) },
    title: `${image.name}@${image.manifest.digest.slice(0, 12)}`,
  };
  if (image.start.method !== 'chain') return { ...common, kind: 'local' };
  return { ...common, kind: 'chain', nbp: nbpUrl(menu, image, options), cmdline: image.cmdline };
}

/** A name that ends in `.efi` is for UEFI, any other for BIOS. */
function nbpUrl(menu: Menu, image: ImageRelease, options: HandoverOptions): string {
  const isBios = options.request.firmware === 'bios';
  const manifest = menu.releases.get(image.manifest.digest)?.manifest;
  const files = manifest ? filesOf(manifest, 'nbp') : [];
  const file = files.find(({ name }) => name.endsWith('.efi') !== isBios);
  if (file) return blobUrl(options.server, file.sha256, file.name);
  const kind = isBios ? 'BIOS' : 'UEFI';
  throw new Fault('NBP_MISSING', `Cannot hand over to ${image.name}: it has no program for ${kind} firmware`, {
    hint: 'Add one to its files.nbp: a name that ends in .efi is for UEFI, any other for BIOS',
    retry: 'stalled',
  });
}
