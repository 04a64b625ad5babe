import { readDefinitions } from '#definition/definitions.ts';
import { directoryFiles } from '#definition/directory-files.ts';
import type { Expectations } from './watch.ts';

/** What the images of a site's folder say about the console of their OS. Faults are the runtime's to tell. */
export async function readExpectations(directory: string): Promise<Expectations> {
  const { definitions } = await readDefinitions(directoryFiles(directory));
  const images = definitions?.images ?? [];
  return new Map(images.flatMap(({ name, lab }) => (lab.expect === undefined ? [] : [[name, lab.expect]])));
}
