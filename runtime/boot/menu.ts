import { encodeBase64 } from '#bundle/base64.ts';
import { type BootTicket, formatTicket, type TicketRelease } from '#bundle/boot-ticket.ts';
import type { Catalog, ImageRelease, Release } from '#bundle/catalog.ts';
import type { Digest, Mac, SessionId } from '#bundle/digest.ts';
import { Fault } from '#bundle/fault.ts';
import { type Arch, filesOf, type Manifest, type ManifestFile } from '#bundle/manifest.ts';
import { withAnnounce } from '#bundle/metainfo.ts';
import { chooseImage, offeredImages } from '#bundle/selector.ts';
import { type PartName, partsOf } from '#bundle/start.ts';
import { bootstrapCmdline } from './cmdline.ts';
import { archOf, type Firmware } from './firmware.ts';
import { handoverImage, handoverScript } from './handover.ts';
import { blobUrl, script, scriptUrl } from './ipxe.ts';

/** The texts of one release. */
export interface MenuRelease {
  readonly manifest: Manifest;
  readonly manifestText: string;
  /** A torrent file without announce URL. Absent: nothing of it goes through the swarm. */
  readonly torrent?: Uint8Array;
}

/** What boot scripts and tickets are made from: a verified catalog with all that it names. Replaced as a whole. */
export interface Menu {
  readonly catalog: Catalog;
  readonly catalogDigest: Digest;
  /** The bytes that were signed, and the minisign file over them. */
  readonly catalogText: string;
  readonly signature: string;
  readonly signatureDigest: Digest;
  /** By the manifest's digest. */
  readonly releases: ReadonlyMap<Digest, MenuRelease>;
}

/** What a boot script or ticket says about where it comes from. */
export interface Server {
  /** `http://10.20.0.1:8480`. */
  readonly url: string;
  /** BitTorrent address of the origin, `10.20.0.1:6881`. */
  readonly origin: string;
  /** The site's own parameters for the bootstrap's kernel. */
  readonly cmdline: string;
}

export interface ScriptRequest {
  readonly mac: Mac;
  readonly firmware: Firmware;
  readonly session: SessionId;
  /** The image that a person chose at the node before it rebooted. */
  readonly chosen?: string;
}

/** The bootstrap that a firmware can start, or why there is none yet. */
export function bootstrapFor(menu: Menu, firmware: Firmware): Release | undefined {
  const arch = archOf(firmware);
  return menu.catalog.bootstraps.find((bootstrap) => bootstrap.arch === arch);
}

/** The boot script of a node. Where it cannot boot, the script says why, waits and asks again. */
export function bootScript(menu: Menu, request: ScriptRequest, server: Server): string {
  try {
    const image = handoverImage(menu, request);
    if (image) return script(handoverScript(menu, image, { request, server }));
    const bootstrap = bootstrapFor(menu, request.firmware);
    const release = bootstrap && menu.releases.get(bootstrap.manifest.digest);
    if (!bootstrap || !release) return waitingScript(request, server, `no bootstrap for firmware ${request.firmware}`);
    return script(bootingScript(menu, { ...request, bootstrap, manifest: release.manifest }, server));
  } catch (error) {
    if (error instanceof Fault) return waitingScript(request, server, error.message);
    throw error;
  }
}

/** A script that shows a reason, waits 5 s and asks again. */
export function waitingScript(request: Omit<ScriptRequest, 'session'>, server: Server, reason: string): string {
  const { mac, firmware } = request;
  const url = scriptUrl(server.url, mac, firmware);
  const ways = { firmware, shell: false, scriptUrl: url };
  return script({ ...ways, kind: 'waiting', reason: reason.slice(0, 200), pauseSeconds: 5 });
}

function bootingScript(
  menu: Menu,
  request: ScriptRequest & { readonly bootstrap: Release; readonly manifest: Manifest },
  server: Server,
): Parameters<typeof script>[0] {
  const { mac, session, bootstrap, manifest } = request;
  const { image, group } = chooseImage(menu.catalog, { mac, arch: bootstrap.arch });
  const [kernel] = filesOf(manifest, 'kernel');
  if (!kernel) throw new Fault('MANIFEST_INVALID', 'Cannot boot: the bootstrap has no kernel');
  const file = ({ name, sha256 }: ManifestFile) => ({ name, url: blobUrl(server, sha256, name) });
  // With kexec the group's parameters are for the next kernel, which the agent starts; elsewhere this one stays.
  const extra = [server.cmdline, image.start.method === 'kexec' ? undefined : group?.cmdline];
  return {
    kind: 'boot',
    ...{ firmware: request.firmware, shell: menu.catalog.menu.shell },
    scriptUrl: scriptUrl(server.url, mac, request.firmware),
    title: `${image.name}@${image.manifest.digest.slice(0, 12)}`,
    kernel: file(kernel),
    initrds: filesOf(manifest, 'initrd').map(file),
    cmdline: bootstrapCmdline({ server: server.url, session, mac, bootstrap: bootstrap.manifest.digest, extra }),
  };
}

/**
 * Everything that a node asks for, with the image that it is to boot.
 * @throws Fault `IMAGE_UNKNOWN`, `PART_UNKNOWN`
 */
export function bootTicket(
  menu: Menu,
  request: {
    readonly mac: Mac;
    readonly arch: Arch;
    readonly session: SessionId;
    readonly nowMs: number;
    /** What a person has chosen. */
    readonly image?: string;
  },
  server: Server,
): { readonly text: string; readonly image: ImageRelease; readonly manifests: readonly Digest[] } {
  const { mac, arch, session, nowMs } = request;
  const image = offeredImage(menu.catalog, request);
  const parts = partsOf(image.start).map((name) => partOf(menu.catalog, name, arch));
  const announce = `${server.url}/announce/${session}`;
  const ticket: BootTicket = {
    ...{ session, mac, timeMs: nowMs, catalog: menu.catalogText, signature: menu.signature },
    image: ticketRelease(menu, image, announce),
    imageName: image.name,
    parts: parts.map(({ name, release }) => ({ name, ...ticketRelease(menu, release, announce) })),
    origin: server.origin,
    bootstrapManifest: bootstrapOf(menu.catalog, arch).manifest.digest,
  };
  const manifests = [image, ...parts.map(({ release }) => release)].map((release) => release.manifest.digest);
  return { text: formatTicket(ticket), image, manifests };
}

function ticketRelease(menu: Menu, release: Release, announce: string): TicketRelease {
  const texts = menu.releases.get(release.manifest.digest);
  if (!texts) throw new TypeError(`The menu has no ${release.name}`);
  const { manifestText: manifest, torrent } = texts;
  return { manifest, ...(torrent && { torrent: encodeBase64(withAnnounce(torrent, announce)) }) };
}

/** @throws Fault `IMAGE_UNKNOWN` when a node may not have the image that it asks for */
function offeredImage(catalog: Catalog, request: { mac: Mac; arch: Arch; image?: string }): ImageRelease {
  if (request.image === undefined) return chooseImage(catalog, request).image;
  const image = offeredImages(catalog, request).find((one) => one.name === request.image);
  if (image) return image;
  throw new Fault('IMAGE_UNKNOWN', `Cannot make a ticket: ${request.mac} may not boot ${request.image}`);
}

function bootstrapOf(catalog: Catalog, arch: Arch): Release {
  const bootstrap = catalog.bootstraps.find((one) => one.arch === arch);
  if (bootstrap) return bootstrap;
  throw new Fault('PART_UNKNOWN', `Cannot make a ticket: the catalog has no bootstrap for ${arch}`);
}

function partOf(catalog: Catalog, name: PartName, arch: Arch): { readonly name: PartName; readonly release: Release } {
  const release = catalog.parts.find((one) => one.name === name && one.arch === arch);
  if (release) return { name, release };
  throw new Fault('PART_UNKNOWN', `Cannot make a ticket: the catalog has no ${name} for ${arch}`);
}

/** The network boot programs of a menu, by the names under which TFTP and HTTP serve them. */
export function nbpFiles(menu: Menu): ReadonlyMap<string, ManifestFile> {
  const manifests = menu.catalog.bootstraps.flatMap((one) => menu.releases.get(one.manifest.digest)?.manifest ?? []);
  return new Map(manifests.flatMap((manifest) => filesOf(manifest, 'nbp')).map((file) => [file.name, file]));
}
