import { readDefinitions } from '#definition/definitions.ts';
import { directoryFiles } from '#definition/directory-files.ts';
import { bootDiskText } from './boot-disk.ts';
import type { Expectations } from './watch.ts';

/** What the images of a site's folder say about the console of their OS. Faults are the runtime's to tell. */
export async function readExpectations(directory: string): Promise<Expectations> {
  const { definitions } = await readDefinitions(directoryFiles(directory));
  const images = definitions?.images ?? [];
  return new Map(
    images.flatMap(({ name, start, lab }) => {
      // The disk of a machine of the lab is the lab's own.
      const text = lab.expect ?? (start.method === 'local' ? bootDiskText : undefined);
      return text === undefined ? [] : [[name, text]];
    }),
  );
}
