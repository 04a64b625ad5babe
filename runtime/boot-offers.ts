import type { ImageRelease } from '#bundle/catalog.ts';
import type { Digest, Mac } from '#bundle/digest.ts';
import type { NodeLabels } from '#bundle/selector.ts';
import { digestOf } from '#store/digest.ts';
import { afterUse, chosenBy, chosenImage, type OneShotChoice } from './boot/choice.ts';
import type { BootEvent, OfferedRelease } from './boot/event.ts';
import {
  type Fallback,
  fallbackOf,
  judge,
  mayFallBackTo,
  type ReleaseRecord,
  releaseIdentity,
  verdict,
} from './boot/fallback.ts';
import { archOf, type Firmware } from './boot/firmware.ts';
import type { Menu } from './boot/menu.ts';
import type { SessionChange } from './boot/nodes.ts';
import { offeredTo } from './boot/offered.ts';
import type { BootSession } from './boot/session.ts';

/** Where choices and records of releases outlive the process. */
export interface OffersStore {
  choices(): readonly OneShotChoice[];
  keepChoice(choice: OneShotChoice): void;
  dropChoice(mac: Mac): void;
  records(): readonly ReleaseRecord[];
  keepRecord(record: ReleaseRecord): void;
  dropRecords(mac: Mac): void;
}

export interface OffersOptions {
  readonly menu: () => Menu | undefined;
  /** The menu of an older catalog, as soon as everything that a node may need of it is verified and seeded. */
  readonly older: (catalog: Digest) => Menu | undefined;
  readonly store: OffersStore;
  readonly now: () => number;
}

/** What one node gets, where that is not simply what the site says. */
export interface Offers {
  /** What its boot script is made from. A choice of a person is used up by this. */
  forScript(node: { readonly mac: Mac; readonly firmware: Firmware }): Offer | undefined;
  /** What its ticket is made from. @param image what a person has chosen */
  forTicket(node: NodeLabels, image: string | undefined): Offer | undefined;
  /** The release of a ticket, as boot events name it. */
  released(menu: Menu, image: ImageRelease): Extract<BootEvent, { kind: 'ticket' }>['release'];
  /** Takes in what a session did, for later offers. */
  learn(change: SessionChange): void;
  /** Takes in a report of a session that is the node's newest. */
  hear(event: Extract<BootEvent, { kind: 'report' }>, session: BootSession): void;
  /** Nodes that get an older release than the published one. */
  fallbacks(): readonly Fallback[];
  /** Older releases that some node may get one day. */
  remembered(): readonly OfferedRelease[];
}

export interface Offer {
  readonly menu: Menu;
  readonly chosen?: string;
}

export function openOffers(options: OffersOptions): Offers {
  const { store, now } = options;
  const choices = new Map(store.choices().map((choice) => [choice.mac, choice]));
  const records = new Map<Mac, Map<string, ReleaseRecord>>();
  for (const record of store.records()) remember(record);

  function remember(record: ReleaseRecord): void {
    const ofNode = records.get(record.mac) ?? new Map<string, ReleaseRecord>();
    records.set(record.mac, ofNode.set(record.image, record));
  }

  function takeChoice(mac: Mac, firmware: Firmware, { catalog }: Menu): string | undefined {
    const choice = choices.get(mac);
    const arch = archOf(firmware);
    if (!choice || !arch) return undefined;
    const nowMs = now();
    const image = chosenImage(choice, { catalog, arch, nowMs });
    keepChoice(mac, image && afterUse(choice, { image, firmware, nowMs }));
    return image?.name;
  }

  function keepChoice(mac: Mac, choice: OneShotChoice | undefined): void {
    if (choice) {
      choices.set(mac, choice);
      store.keepChoice(choice);
    } else {
      choices.delete(mac);
      store.dropChoice(mac);
    }
  }

  /** The older menu of a node whose image keeps failing, if that one would give it the same image. */
  function fallbackMenu(menu: Menu, node: NodeLabels, asked: string | undefined): Menu | undefined {
    const image = wanted(menu, node, asked);
    const fallback = image && fallbackOf(records.get(node.mac)?.get(image.name), identityOf(image));
    const older = fallback && options.older(fallback.to.catalog);
    const again = older && wanted(older, node, asked);
    return again && identityOf(again) === fallback.to.identity ? older : undefined;
  }

  return {
    forScript({ mac, firmware }) {
      const menu = options.menu();
      if (!menu) return undefined;
      const arch = archOf(firmware);
      const chosen = takeChoice(mac, firmware, menu);
      if (chosen !== undefined) return { menu, chosen };
      return { menu: (arch && fallbackMenu(menu, { mac, arch }, undefined)) ?? menu };
    },
    forTicket(node, image) {
      const menu = options.menu();
      return menu && { menu: fallbackMenu(menu, node, image) ?? menu };
    },
    released: (menu, image) => ({
      ...{ identity: identityOf(image), manifest: image.manifest.digest },
      ...{ catalog: menu.catalogDigest, signature: menu.signatureDigest },
    }),
    learn({ before, after, isForgotten }) {
      const session = after ?? before;
      if (isForgotten && session) {
        records.delete(session.mac);
        store.dropRecords(session.mac);
      }
      if (isForgotten || !before?.release || before.image === undefined) return;
      const said = verdict(before, after);
      if (!said) return;
      const { mac, image } = before;
      const record = records.get(mac)?.get(image) ?? { mac, image, failed: [], good: [] };
      const next = judge(record, before.release, said);
      if (JSON.stringify(next) === JSON.stringify(record)) return;
      remember(next);
      store.keepRecord(next);
    },
    hear({ report, atMs }, { mac, release }) {
      const choice = chosenBy({ ...report, mac }, atMs);
      // Without a ticket of ours it is no node that has shown a menu.
      if (choice && release) keepChoice(mac, choice);
    },
    remembered: () => [...records.values()].flatMap((ofNode) => [...ofNode.values()].flatMap(mayFallBackTo)),
    fallbacks() {
      const menu = options.menu();
      if (!menu) return [];
      const identities = menu.catalog.images.map((image) => ({ name: image.name, identity: identityOf(image) }));
      const ofRecord = (record: ReleaseRecord) =>
        identities.flatMap(({ name, identity }) => (name === record.image ? (fallbackOf(record, identity) ?? []) : []));
      return [...records.values()].flatMap((ofNode) => [...ofNode.values()].flatMap(ofRecord));
    },
  };
}

/** By the release itself, which is replaced with its menu: the digest of the same one is asked for at every boot. */
const identities = new WeakMap<ImageRelease, Digest>();

function identityOf(image: ImageRelease): Digest {
  const identity = identities.get(image) ?? digestOf(releaseIdentity(image));
  identities.set(image, identity);
  return identity;
}

/** The image that a node gets from a menu; undefined where there is none for it. */
function wanted({ catalog }: Menu, node: NodeLabels, asked: string | undefined): ImageRelease | undefined {
  const offer = offeredTo(catalog, node);
  return asked === undefined ? offer?.image : offer?.offered.find(({ name }) => name === asked);
}
