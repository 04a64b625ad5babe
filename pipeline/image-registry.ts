import type { Digest } from '#bundle/digest.ts';
import type { Workshop } from './image-inputs.ts';
import { openRegistry, type Registry } from './registry/client.ts';
import { readCredentials } from './registry/credentials.ts';
import { parseReference } from './registry/reference.ts';

type Reach = Pick<Workshop, 'allowed' | 'signal'>;

/** Opens the repository that a container image is in, with what this machine knows for that registry. */
export async function openImageRepository(image: string, { allowed, signal }: Reach): Promise<Registry> {
  const reference = parseReference(image);
  const { registry } = reference;
  const credentials = await readCredentials({ registry, environment: process.env });
  const host = registry.replace(/:[0-9]+$/, '');
  const plainHttp = allowed?.plainHttp.includes(registry) || allowed?.plainHttp.includes(host);
  return openRegistry({
    reference,
    credentials,
    ...(plainHttp && { plainHttp }),
    allowedHosts: allowed?.hosts ?? [],
    ...(signal && { signal }),
  });
}

/** What a tag stands for now. */
export async function resolveTag(image: string, reach: Reach): Promise<Digest> {
  const repository = await openImageRepository(image, reach);
  try {
    return (await repository.getManifest({ tag: parseReference(image).tag ?? 'latest' })).digest;
  } finally {
    repository.close();
  }
}
