import type { Digest } from '#bundle/digest.ts';
import { digestOf } from './digest.ts';
import { digestsIn } from './gc-marks.ts';
import type { Store } from './store.ts';

/**
 * Remembers which blobs a build is made from (locked packages, downloads), so that garbage collection keeps them as long
 * as a kept catalog needs them: mirrors drop old versions. To be called at each build, whether anything is built or not.
 * @param text anything in which the digests stand
 */
export async function keepInputs(store: Store, text: string): Promise<void> {
  const inputs: readonly Digest[] = digestsIn(text).toSorted();
  if (inputs.length === 0) return;
  const key = digestOf(JSON.stringify({ inputs }));
  if ((await store.readBuild(key)) === undefined) await store.writeBuild(key, { inputs });
}
