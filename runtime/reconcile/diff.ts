import type { Digest, InfoHash } from '#bundle/digest.ts';
import type { DesiredState, ObservedState, ServedBundle } from './desired.ts';

export type Action =
  | { readonly kind: 'verify'; readonly bundle: ServedBundle }
  | { readonly kind: 'seed'; readonly bundle: ServedBundle }
  | { readonly kind: 'publish-menu'; readonly catalog: Digest; readonly bundles: readonly ServedBundle[] }
  | { readonly kind: 'drain'; readonly bundle: ServedBundle }
  | { readonly kind: 'unseed'; readonly infoHash: InfoHash }
  | { readonly kind: 'forget'; readonly bundle: ServedBundle };

/**
 * The actions that lead from what is served to what should be, in the order verify, seed, publish menu, drain, unseed.
 * After every prefix of them a menu entry implies a seeded, verified bundle; after all of them the next diff is empty.
 */
export function diff(desired: DesiredState, observed: ObservedState): readonly Action[] {
  // Before anything was published there is nothing to compare with: what is served stays.
  if (desired.catalog === undefined) return [];
  const wanted = new Set(desired.bundles.map((bundle) => bundle.manifest.digest));
  const obsolete = [...observed.verified.values()].filter((bundle) => !wanted.has(bundle.manifest.digest));
  const kept = obsolete.filter((bundle) => observed.inUse.has(bundle.manifest.digest));
  const gone = obsolete.filter((bundle) => !observed.inUse.has(bundle.manifest.digest));
  return [
    ...desired.bundles.filter((one) => !observed.verified.has(one.manifest.digest)).map(verify),

    ...distinct(desired.bundles)
      .filter(([infoHash]) => !observed.seeded.has(infoHash))
      .map(([, bundle]) => seed(bundle)),
    ...(observed.menu === desired.catalog ? [] : [publishMenu(desired.catalog, desired.bundles)]),
    ...kept.filter((bundle) => !observed.draining.has(bundle.manifest.digest)).map(drain),
    ...unseeded([...desired.bundles, ...kept], observed.seeded),
    ...gone.map(forget),
  ];
}

/** Whether an action brings something new, rather than ending what is no longer wanted. */
export function isBringing({ kind }: Action): boolean {
  return kind === 'verify' || kind === 'seed' || kind === 'publish-menu';
}

/** What is served after an action was carried out. */
export function after(observed: ObservedState, action: Action): ObservedState {
  const verified = new Map(observed.verified);
  const seeded = new Set(observed.seeded);
  const draining = new Set(observed.draining);
  switch (action.kind) {
    case 'verify':
      verified.set(action.bundle.manifest.digest, action.bundle);
      break;
    case 'seed':
      if (action.bundle.torrent) seeded.add(action.bundle.torrent.infoHash);
      break;
    case 'publish-menu':
      for (const bundle of action.bundles) draining.delete(bundle.manifest.digest);
      return { ...observed, draining, menu: action.catalog };
    case 'drain':
      draining.add(action.bundle.manifest.digest);
      break;
    case 'unseed':
      seeded.delete(action.infoHash);
      break;
    case 'forget':
      verified.delete(action.bundle.manifest.digest);
      draining.delete(action.bundle.manifest.digest);
      break;
    default:
      action satisfies never;
  }
  return { ...observed, verified, seeded, draining };
}

function publishMenu(catalog: Digest, bundles: readonly ServedBundle[]): Action {
  return { kind: 'publish-menu', catalog, bundles };
}

const verify = (bundle: ServedBundle): Action => ({ kind: 'verify', bundle });
const seed = (bundle: ServedBundle): Action => ({ kind: 'seed', bundle });
const drain = (bundle: ServedBundle): Action => ({ kind: 'drain', bundle });
const forget = (bundle: ServedBundle): Action => ({ kind: 'forget', bundle });

/** What is to be seeded. Two manifests may share one torrent: the same files started by another method. */
function distinct(bundles: readonly ServedBundle[]): readonly (readonly [InfoHash, ServedBundle])[] {
  const seedable = bundles.flatMap((bundle) => (bundle.torrent ? [[bundle.torrent.infoHash, bundle] as const] : []));
  return [...new Map(seedable)];
}

function unseeded(keep: readonly ServedBundle[], seeded: ReadonlySet<InfoHash>): readonly Action[] {
  const wanted = new Set(distinct(keep).map(([infoHash]) => infoHash));
  return [...seeded].filter((infoHash) => !wanted.has(infoHash)).map((infoHash) => ({ kind: 'unseed', infoHash }));
}
