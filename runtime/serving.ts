import type { Revision } from '#bundle/digest.ts';
import { Fault } from '#bundle/fault.ts';
import type { Site } from '#definition/site.ts';
import type { Firmware } from './boot/firmware.ts';
import { blobUrl } from './boot/ipxe.ts';
import { type Menu, nbpFiles, type Server } from './boot/menu.ts';
import type { Subnet } from './dhcp/address.ts';
import { type DhcpView, dhcpView } from './dhcp/view.ts';
import type { Log } from './log.ts';
import { needsRestart } from './site-settings.ts';

/** What is answered from; replaced as a whole, so that no answer mixes two commits. */
export interface Served {
  /** Absent: nothing is published yet. */
  readonly menu?: Menu;
  readonly dhcp: DhcpView;
  readonly server: Server;
  readonly needsRestart: readonly string[];
  /** A setting of the commit that this machine cannot follow. */
  readonly trouble?: Fault;
}

export interface ServingOptions {
  /** The file on disk at start. */
  readonly site: Site;
  readonly subnet: Subnet;
  readonly originPort: () => number;
  /** The site as a commit has it. */
  readonly readCommitSite: (revision: Revision) => Promise<Site | undefined>;
  readonly log: Log;
}

export interface Serving {
  current(): Served;
  /** Serves a menu whose bundles are verified and seeded, with the settings of its commit. */
  swap(menu: Menu): Promise<void>;
}

/** @throws Fault `DHCP_RANGE_INVALID` for the file on disk */
export function openServing(options: ServingOptions): Serving {
  const { site, subnet, log } = options;
  const server = (of: Site): Server => ({
    url: `http://${subnet.address}:${site.network.http.port}`,
    origin: `${subnet.address}:${options.originPort()}`,
    cmdline: of.bootstrap.cmdline,
  });
  let served: Served = { dhcp: dhcpView(site, subnet), server: server(site), needsRestart: [] };

  async function swap(menu: Menu): Promise<void> {
    const commit = (await commitSite(menu.catalog.revision)) ?? site;
    const { dhcp, trouble } = newDhcp(commit, menu);
    if (trouble) log.error({ code: trouble.code, hint: trouble.hint }, trouble.message);
    served = {
      ...{ menu, dhcp, server: server(commit), needsRestart: needsRestart(site, commit) },
      ...(trouble && { trouble }),
    };
    const { serial, revision } = menu.catalog;
    log.info({ serial, revision, catalog: menu.catalogDigest, needsRestart: served.needsRestart }, 'serving');
  }

  async function commitSite(revision: Revision): Promise<Site | undefined> {
    try {
      return await options.readCommitSite(revision);
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      // The mirror may be gone while the store is not: images come first, settings are then those on disk.
      log.warn({ code: error.code, revision }, `settings of the commit cannot be read: ${error.message}`);
      return undefined;
    }
  }

  /** A listener that was not opened at start cannot be opened by a commit; addresses that do not fit are not given. */
  function newDhcp(commit: Site, menu: Menu): { dhcp: DhcpView; trouble?: Fault } {
    const httpBootUrls = urlsOf(menu, server(commit));
    const port = { ...commit.network, http: site.network.http };
    const isOff = site.network.dhcp.mode === 'off';
    const network = isOff ? { ...port, dhcp: site.network.dhcp } : port;
    try {
      return { dhcp: dhcpView({ ...commit, network }, subnet, httpBootUrls) };
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      return { dhcp: { ...served.dhcp, httpBootUrls }, trouble: error };
    }
  }

  return { current: () => served, swap };
}

function urlsOf(menu: Menu, server: Server): Readonly<Partial<Record<Firmware, string>>> {
  const nbp = nbpFiles(menu).get('snponly.efi');
  return nbp ? { 'uefi-x64-http': blobUrl(server, nbp.sha256, nbp.name) } : {};
}
