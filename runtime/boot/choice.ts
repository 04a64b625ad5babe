import type { BootReport } from '#bundle/boot-report.ts';
import type { Catalog, ImageRelease } from '#bundle/catalog.ts';
import type { Mac } from '#bundle/digest.ts';
import type { Arch } from '#bundle/manifest.ts';
import { isByScript } from '#bundle/start.ts';
import type { Firmware } from './firmware.ts';
import { offeredTo } from './offered.ts';

/** What a person chose at a node that only the next boot script can carry out. */
export interface OneShotChoice {
  readonly mac: Mac;
  readonly image: string;
  readonly atMs: number;
  /** When a boot script carried it out for the first time. */
  readonly usedAtMs?: number;
}

/** A machine that is not back within so long was switched off: whoever switches it on wants what it always does. */
export const choiceLifeMs = 5 * 60_000;

/**
 * UEFI firmware that is told to take its next entry has other network entries before the disk: each of them asks for a
 * script, the later ones after the waits of PXE over IPv6.
 */
const sameStartMs = 120_000;

/** The choice that a report tells: a node that reboots for an image that the boot script starts. */
export function chosenBy(report: BootReport, atMs: number): OneShotChoice | undefined {
  const { mac, image, phase } = report;
  return phase === 'rebooting' && image !== undefined ? { mac, image, atMs } : undefined;
}

/** The chosen image, if it is still time and this node may boot it; looked at when the script is made. */
export function chosenImage(
  choice: OneShotChoice | undefined,
  { catalog, arch, nowMs }: { readonly catalog: Catalog; readonly arch: Arch; readonly nowMs: number },
): ImageRelease | undefined {
  if (!choice || nowMs - choice.atMs >= choiceLifeMs) return undefined;
  if (choice.usedAtMs !== undefined && nowMs - choice.usedAtMs >= sameStartMs) return undefined;
  const offer = offeredTo(catalog, { mac: choice.mac, arch });
  return offer?.offered.find(({ name, start }) => name === choice.image && isByScript(start));
}

/** What is left of a choice after a script was made of it: nothing, but for the rest of the same start with UEFI. */
export function afterUse(
  choice: OneShotChoice,
  { image, firmware, nowMs }: { readonly image: ImageRelease; readonly firmware: Firmware; readonly nowMs: number },
): OneShotChoice | undefined {
  if (image.start.method !== 'local' || firmware === 'bios') return undefined;
  return { ...choice, usedAtMs: choice.usedAtMs ?? nowMs };
}
