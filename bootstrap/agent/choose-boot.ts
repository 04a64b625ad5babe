import type { BootTicket } from '#bundle/boot-ticket.ts';
import type { Catalog } from '#bundle/catalog.ts';
import { version } from '#bundle/digest.ts';
import { chooseImage } from '#bundle/selector.ts';
import { correctClock } from './clock.ts';
import type { Host } from './host.ts';
import { chooseInMenu } from './menu/choose.ts';
import { menuEntries } from './menu/entries.ts';
import type { BootParameters } from './parameters.ts';
import type { Paths } from './paths.ts';
import { chooseReleases, type Machine, type Verified } from './phases.ts';
import type { Reporter } from './reporter.ts';
import { fetchTicket } from './ticket.ts';
import { verifyCatalog, verifyManifest } from './verify.ts';

export interface ChoiceOptions {
  readonly parameters: BootParameters;
  readonly paths: Paths;
  readonly reporter: Reporter;
  readonly machine: Machine;
  /** What a person has chosen in an earlier attempt of this boot. */
  readonly chosen?: string | undefined;
}

/** What this node boots now. */
export interface ChosenBoot {
  readonly ticket: BootTicket;
  readonly verified: Verified;
  /** Set when a menu was shown: consoles at which a person pressed a key. */
  readonly keyed?: readonly string[];
}

/**
 * Asks the server, and the person at the node where there may be one. Signature first, then everything that hangs on
 * it: nothing of a ticket that does not verify is shown, let alone downloaded.
 * @throws Fault those of the ticket, the catalog and the manifest
 */
export function chooseBoot(host: Host, options: ChoiceOptions): ChosenBoot {
  const { reporter, parameters, machine, paths, chosen } = options;
  reporter.report('ticket');
  const ticket = fetchTicket(host, parameters, { arch: machine.arch, ...(chosen !== undefined && { image: chosen }) });
  const corrected = correctClock(host, ticket.timeMs, paths);
  if (corrected) reporter.say('clock', corrected);
  reporter.report('verify-catalog');
  const catalog = verifyCatalog(host, ticket, paths.keys);
  reporter.say('verify', `catalog ${catalog.serial} of ${catalog.site} is signed`);
  const { name, keyed } = chooseName(host, catalog, options);
  const shown = keyed === undefined ? {} : { keyed };
  if (name === ticket.imageName)
    return { ticket, verified: verifyRelease(host, { ticket, catalog, name }, options), ...shown };
  const other = fetchTicket(host, parameters, { arch: machine.arch, image: name });
  const itsCatalog = verifyCatalog(host, other, paths.keys);
  const verified = verifyRelease(host, { ticket: other, catalog: itsCatalog, name }, options);
  return { ticket: other, verified, ...shown };
}

/** By the site, by a person in an earlier attempt, or by the menu. */
function chooseName(
  host: Host,
  catalog: Catalog,
  { machine, reporter, chosen }: ChoiceOptions,
): { readonly name: string; readonly keyed?: readonly string[] } {
  const images = menuEntries(catalog, machine);
  if (chosen !== undefined && images.some(({ name }) => name === chosen)) return { name: chosen };
  const usual = chooseImage(catalog, machine).image.name;
  const { timeoutMs, shell } = catalog.menu;
  if (images.length < 2 || timeoutMs === 0) return { name: usual };
  reporter.report('menu');
  const choice = chooseInMenu(host, { images, default: usual, timeoutMs, shell, onTick: reporter.again });
  const who = choice.keyed.length === 0 ? 'nobody chose another image' : 'chosen in the menu';
  reporter.say('menu', `${choice.name}: ${who}`);
  return choice;
}

function verifyRelease(
  host: Host,
  { ticket, catalog, name }: { ticket: BootTicket; catalog: Catalog; name: string },
  { machine, reporter }: ChoiceOptions,
): Verified {
  const { image, cmdline, parts } = chooseReleases(catalog, machine, name);
  const imageManifest = verifyManifest(host, image, ticket.image.manifest);
  const verifiedParts = parts.map(({ name, release }) => {
    const hint = ticket.parts.find((part) => part.name === name) ?? { manifest: '' };
    const { torrent } = release;
    return { name, manifest: verifyManifest(host, release, hint.manifest), hint, ...(torrent && { torrent }) };
  });
  reporter.setImage({ name: image.name, manifest: image.manifest.digest });
  reporter.say('verify', `this node boots ${image.name}@${version(image.manifest.digest)} (${image.start.method})`);
  return { catalog, image, cmdline, imageManifest, parts: verifiedParts };
}
