import type { Fault } from '#bundle/fault.ts';
import { parsePublicKey } from '#bundle/signature.ts';
import { readDocument, type SourceDocument } from './document.ts';
import { definitionFault } from './faults.ts';
import { parseIpv4, rangeProblem } from './ipv4.ts';
import { compileCheck, formatPath } from './schema.ts';
import type { Site } from './site.ts';
import { type SiteOverlay, withOverlay } from './site-overlay.ts';
import { type SiteFile, siteSchema } from './site-schema.ts';
import { siteOf } from './site-values.ts';
import { parseDuration } from './units.ts';

/** What a file came to: its value unless something is wrong, and the document for faults that show up later. */
export type Read<T> =
  | { readonly value: T; readonly document: SourceDocument; readonly faults: readonly Fault[] }
  | { readonly value?: undefined; readonly document?: SourceDocument; readonly faults: readonly Fault[] };

/** The shortest lease: nodes renew at half of it, and firmware needs some of it to start. */
const leaseMinimumMs = 60_000;

const check = compileCheck(siteSchema);

/** Parses `boot.config.yaml`. @param file its name in faults @param overlay settings laid over it */
export function readSite(file: string, text: string, overlay?: SiteOverlay): Read<Site> {
  const document = readDocument(file, text);
  if (Array.isArray(document)) return { faults: document };
  const source = withOverlay(document as SourceDocument, overlay);
  const faults = check(source);
  if (faults.length > 0) return { document: source, faults };
  const written = source.value as SiteFile;
  const more = [
    ...dhcpFaults(written, source),
    ...groupFaults(written, source),
    ...keyFaults(written, source),
    ...verifyFaults(written, source),
    ...registryFaults(written, source),
  ];
  return more.length > 0
    ? { document: source, faults: more }
    : { value: { ...siteOf(written), ...suspension(written, source) }, document: source, faults: [] };
}

function suspension({ suspend }: SiteFile, document: SourceDocument): Pick<Site, 'suspended'> {
  return suspend === true ? { suspended: document.locate(['suspend']) } : {};
}

function verifyFaults({ git = {} }: SiteFile, document: SourceDocument): readonly Fault[] {
  const { verify = 'off', allowedSigners, openpgpKeys } = git;
  if (verify === 'off' || allowedSigners !== undefined || openpgpKeys !== undefined) return [];
  const hint = 'Set git.allowedSigners (SSH) or git.openpgpKeys to a file with the keys of those who may commit';
  const location = document.locate(['git', 'verify']);
  const message = `Cannot use git.verify: ${verify} needs keys, and none are named`;
  return [definitionFault('VALUE_INVALID', message, { location, hint })];
}

function dhcpFaults({ network }: SiteFile, document: SourceDocument): readonly Fault[] {
  const { mode = 'full', range, lease } = network.dhcp ?? {};
  const at = ['network', 'dhcp'];
  const wrong = (path: readonly string[], reason: string): Fault =>
    definitionFault('VALUE_INVALID', `Cannot use ${formatPath(path)}: ${reason}`, { location: document.locate(path) });
  const faults: Fault[] = [];
  if (mode === 'full' && !range) faults.push(wrong(at, 'range is missing, which mode full needs'));
  const problem = range && rangeProblem(range[0] ?? '', range[1] ?? '');
  if (problem !== undefined) faults.push(wrong([...at, 'range'], problem));
  else if (range && isInside(network.address, range)) {
    faults.push(wrong([...at, 'range'], `the server's own address ${network.address} is in it`));
  }
  if (lease !== undefined && (parseDuration(lease) ?? 0) < leaseMinimumMs) {
    faults.push(wrong([...at, 'lease'], `${lease} is too short, expected at least 1m`));
  }
  return faults;
}

function isInside(address: string | undefined, [first = '', last = '']: readonly string[]): boolean {
  const [at, from, to] = [parseIpv4(address ?? ''), parseIpv4(first), parseIpv4(last)];
  return at !== undefined && from !== undefined && to !== undefined && from <= at && at <= to;
}

function groupFaults({ groups = [] }: SiteFile, document: SourceDocument): readonly Fault[] {
  return groups.flatMap((group, index) => {
    const first = groups.findIndex((one) => one.name === group.name);
    if (first === index) return [];
    const path = ['groups', index, 'name'];
    const message = `Cannot use ${formatPath(path)}: ${JSON.stringify(group.name)} is the name of groups[${first}] too`;
    return [definitionFault('NAME_DUPLICATE', message, { location: document.locate(path) })];
  });
}

function keyFaults({ trust }: SiteFile, document: SourceDocument): readonly Fault[] {
  return (trust?.publicKeys ?? []).flatMap((key, index) => {
    const path = ['trust', 'publicKeys', index];
    try {
      parsePublicKey(key);
      return [];
    } catch {
      const message = `Cannot use ${formatPath(path)}: it is no minisign public key`;
      const hint = 'Write the second line of the .pub file, which begins with RWQ or RWR or the like';
      return [definitionFault('PUBLIC_KEY_INVALID', message, { location: document.locate(path), hint })];
    }
  });
}

/** What is taken from a registry is believed by its signature alone: the key must be known beforehand. */
function registryFaults({ store = {}, build, trust }: SiteFile, document: SourceDocument): readonly Fault[] {
  const isRegistry = build === 'registry' || (build === undefined && store.oci !== undefined);
  if (!isRegistry) return [];
  const path = build === undefined ? ['store', 'oci'] : ['build'];
  const wrong = (reason: string, hint: string): readonly Fault[] => [
    definitionFault('VALUE_INVALID', `Cannot use ${formatPath(path)}: ${reason}`, {
      location: document.locate(path),
      hint,
    }),
  ];
  if (store.oci === undefined) {
    return wrong('store.oci is missing, which build: registry needs', 'Name the registry, or write build: local');
  }
  if ((trust?.publicKeys ?? []).length > 0) return [];
  const hint = 'Put the public key of the machine that builds there, or write build: local';
  return wrong('trust.publicKeys is empty, and bundles of a registry are believed by their signature alone', hint);
}
