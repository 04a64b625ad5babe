import type { Catalog } from '#bundle/catalog.ts';
import { version } from '#bundle/digest.ts';
import { memoryNeed } from '#bundle/memory.ts';
import { type NodeLabels, offeredImages } from '#bundle/selector.ts';
import { isByScript, type Method, partsOf } from '#bundle/start.ts';

/** What a person learns of an image before choosing it. */
export interface MenuEntry {
  readonly name: string;
  readonly title: string;
  readonly description?: string;
  readonly version: string;
  readonly method: Method;
  /** The image and the parts of the bootstrap that come with it. */
  readonly downloadBytes: number;
  /** RAM that must be free. */
  readonly memoryBytes: number;
}

/** What the menu of a node offers, in the order of the catalog. @throws Fault `IMAGE_UNKNOWN` */
export function menuEntries(catalog: Catalog, node: NodeLabels): readonly MenuEntry[] {
  return offeredImages(catalog, node).map((image) => {
    const names: readonly string[] = partsOf(image.start);
    const parts = catalog.parts.filter((part) => part.arch === image.arch && names.includes(part.name));
    const partBytes = parts.reduce((sum, part) => sum + part.sizeBytes, 0);
    const byScript = isByScript(image.start);
    return {
      name: image.name,
      title: image.title,
      ...(image.description !== undefined && { description: image.description }),
      version: version(image.manifest.digest),
      method: image.start.method,
      // The next boot script carries these out: this bootstrap downloads nothing for them.
      downloadBytes: byScript ? 0 : image.sizeBytes + partBytes,
      memoryBytes: byScript ? 0 : memoryNeed(image, catalog.parts),
    };
  });
}
