import type { SwarmNode } from '../swarm-node/swarm-node.ts';
import type { DownloadOptions } from './download.ts';
import { openProgress } from './download-progress.ts';
import { fetchFiles, type WantedFile, wantedFiles } from './fetch-files.ts';
import type { Host } from './host.ts';
import { type Delivery, deliveredPath } from './phases.ts';
import { isBlob, verifyFile } from './verify.ts';

/**
 * Length and SHA-256 of everything that was downloaded. What the swarm got wrong is fetched once more, by HTTP.
 * @param swarm ends where a file is wrong: it would give it to others
 * @returns the client that still seeds
 * @throws Fault `FILE_DIGEST_MISMATCH`, `DOWNLOAD_FAILED`
 */
export function verifyFiles(
  host: Host,
  deliveries: readonly Delivery[],
  { swarm, ...options }: DownloadOptions & { readonly swarm: SwarmNode | undefined },
): SwarmNode | undefined {
  const { root, reporter } = options;
  const wrong = wantedFiles(deliveries).filter((wanted) => !isRight(host, root, wanted));
  if (wrong.length === 0) return swarm;
  const names = wrong.map(({ file }) => file.name).join(', ');
  reporter.say('verify', `${names}: not the bytes of the signed manifest; fetching again by HTTP`);
  swarm?.stop();
  const totalBytes = wrong.reduce((total, { file }) => total + file.sizeBytes, 0);
  const progress = openProgress(host, { ...options, totalBytes });
  try {
    fetchFiles(host, wrong, { ...options, progress });
  } finally {
    progress.close();
  }
  for (const { delivery, file } of wrong) verifyFile(host, `${root}/${deliveredPath(delivery, file)}`, file);
  return undefined;
}

function isRight(host: Host, root: string, { delivery, file }: WantedFile): boolean {
  return isBlob(host, `${root}/${deliveredPath(delivery, file)}`, { digest: file.sha256, sizeBytes: file.sizeBytes });
}
