import { mkdirSync } from 'node:fs';
import { download, torrentPath } from '#bootstrap/agent/download.ts';
import type { Host } from '#bootstrap/agent/host.ts';
import { fetchText } from '#bootstrap/agent/http.ts';
import type { Delivery } from '#bootstrap/agent/phases.ts';
import { openReporter } from '#bootstrap/agent/reporter.ts';
import { seedUntilNeededNoMore } from '#bootstrap/agent/seed.ts';
import { verifyCatalog, verifyManifest, verifyTorrent } from '#bootstrap/agent/verify.ts';
import { verifyFiles } from '#bootstrap/agent/verify-files.ts';
import { openProcessHost } from '#bootstrap/process-host.ts';
import { parseTicket, ticketLimitBytes } from '#bundle/boot-ticket.ts';
import { parseMac, parseSessionId } from '#bundle/digest.ts';

/**
 * A program: a node of a storm, from its boot script to the moment at which kexec would take over, with the agent's own
 * code, but without a machine: it runs in a network namespace. Its argument is a {@link StormNodeSettings}; it prints what
 * the agent prints, and last {@link StormNodeResult}.
 */
export interface StormNodeSettings {
  readonly server: string;
  readonly mac: string;
  /** Folder of its own. */
  readonly root: string;
  readonly keys: string;
  /** Between boot script and agent. */
  readonly bootMs: number;
  /** Default: as the catalog says. */
  readonly seedBudgetMs?: number;
}

export interface StormNodeResult {
  readonly downloadMs: number;
  readonly seedMs: number;
  /** The client was still there after the download: no byte came by HTTP alone. */
  readonly isBySwarm: boolean;
}

const host = openProcessHost();
try {
  host.print(JSON.stringify(run(host, JSON.parse(process.argv[2] ?? ''))));
} finally {
  host.remove();
}

function run(host: Host, settings: StormNodeSettings): StormNodeResult {
  const { server, root } = settings;
  const mac = parseMac(settings.mac);
  const session = openSession(host, settings);
  host.sleep(settings.bootMs);
  const reporter = openReporter(host, { server, session, mac } as Parameters<typeof openReporter>[1]);
  reporter.report('network');
  const url = `${server}/v1/ticket/${session}?mac=${mac}&arch=amd64`;
  const ticket = parseTicket(fetchText(host, url, { timeoutMs: 30_000, limitBytes: ticketLimitBytes }));
  const catalog = verifyCatalog(host, ticket, settings.keys);
  const release = catalog.images.find((image) => image.name === ticket.imageName);
  if (!release) throw new TypeError(`the catalog has no ${ticket.imageName}`);
  const manifest = verifyManifest(host, release, ticket.image.manifest);
  const { torrent } = release;
  const about = { manifest, files: manifest.files, hint: ticket.image, ...(torrent && { torrent }) };
  const delivery: Delivery = { folder: 'image', ...about };
  for (const name of ['torrents', 'files']) mkdirSync(`${root}/${name}`, { recursive: true });
  const announce = `${server}/announce/${session}`;
  host.writeBytes(torrentPath(root, 'image'), verifyTorrent(host, delivery, announce));
  reporter.setImage({ name: release.name, manifest: release.manifest.digest });

  const options = { server, root, totalBytes: release.sizeBytes, reporter };
  const startMs = host.uptimeMs();
  reporter.report('download', { doneBytes: 0, totalBytes: options.totalBytes });
  const downloaded = download(host, [delivery], options);
  const downloadMs = host.uptimeMs() - startMs;
  reporter.report('verify-files');
  const swarm = verifyFiles(host, [delivery], { ...options, swarm: downloaded });
  const seedMs = host.uptimeMs();
  const budgetMs = settings.seedBudgetMs ?? catalog.swarm.seedBudgetMs;
  seedUntilNeededNoMore(host, { ...options, swarm, budgetMs });
  const result = { downloadMs, seedMs: host.uptimeMs() - seedMs, isBySwarm: swarm !== undefined };
  swarm?.stop();
  reporter.report('load');
  reporter.report('executing');
  return result;
}

/** As the firmware: the boot script names the session. */
function openSession(host: Host, { server, mac }: StormNodeSettings) {
  const script = fetchText(host, `${server}/boot/${mac}/bios.ipxe`, { timeoutMs: 10_000, limitBytes: 16_384 });
  return parseSessionId(/bt\.session=([0-9a-f]{32})/.exec(script)?.[1] ?? '');
}
