import type { Digest } from '#bundle/digest.ts';
import { Fault } from '#bundle/fault.ts';
import { chooseImage } from '#bundle/selector.ts';
import { archOf, parseFirmware } from './boot/firmware.ts';
import type { Menu } from './boot/menu.ts';
import type { BootSession } from './boot/session.ts';
import { mayGo, type SwarmNeed, swarmNeeds } from './tracker/needed.ts';

export interface SwarmNeedsOptions {
  readonly sessions: () => readonly BootSession[];
  readonly menu: () => Menu | undefined;
  readonly now: () => number;
}

export interface SwarmNeeds {
  /** Whether the swarm of its image no longer needs this session. */
  mayGo(session: BootSession): boolean;
}

/** A room of nodes that leave asks every second each: all are answered from one look at the sessions. */
const looksEveryMs = 500;

export function openSwarmNeeds({ sessions, menu, now }: SwarmNeedsOptions): SwarmNeeds {
  let lookedAtMs = Number.NEGATIVE_INFINITY;
  let needs: ReadonlyMap<Digest, SwarmNeed> = new Map();

  function look(): ReadonlyMap<Digest, SwarmNeed> {
    const nowMs = now();
    if (Math.abs(nowMs - lookedAtMs) < looksEveryMs) return needs;
    const served = menu();
    const seeded = new Set(served?.catalog.images.filter(isSeeding).map((image) => image.manifest.digest));
    const manifestOf = (session: BootSession) => session.manifest ?? (served && expectedManifest(served, session));
    needs = swarmNeeds(sessions(), { nowMs, manifestOf, isSeededForEver: (manifest) => seeded.has(manifest) });
    lookedAtMs = nowMs;
    return needs;
  }
  return {
    mayGo: (session) => session.manifest === undefined || mayGo(look().get(session.manifest), session.id),
  };
}

function isSeeding({ start }: Menu['catalog']['images'][number]): boolean {
  return start.method === 'switch-root' || start.method === 'qemu' || start.method === 'exec';
}

/** What a node that has not said it yet will boot: the image of its ticket, else the one that the site says. */
function expectedManifest({ catalog }: Menu, session: BootSession): Digest | undefined {
  // A node that has told nothing yet is most likely a PC.
  const arch = archOf(parseFirmware(session.firmware ?? 'bios'));
  if (!arch) return undefined;
  const named = catalog.images.find((image) => image.name === session.image && image.arch === arch);
  if (named) return named.manifest.digest;
  try {
    return chooseImage(catalog, { mac: session.mac, arch }).image.manifest.digest;
  } catch (error) {
    if (error instanceof Fault) return undefined;
    throw error;
  }
}
