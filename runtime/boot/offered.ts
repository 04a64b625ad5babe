import type { Catalog, ImageRelease } from '#bundle/catalog.ts';
import { Fault } from '#bundle/fault.ts';
import { chooseImage, type NodeLabels, offeredImages } from '#bundle/selector.ts';

/** What a node boots where nobody chooses, and what a person may choose from; undefined: there is nothing for it. */
export function offeredTo(
  catalog: Catalog,
  node: NodeLabels,
): { readonly image: ImageRelease; readonly offered: readonly ImageRelease[] } | undefined {
  try {
    return { image: chooseImage(catalog, node).image, offered: offeredImages(catalog, node) };
  } catch (error) {
    if (error instanceof Fault) return undefined;
    throw error;
  }
}
