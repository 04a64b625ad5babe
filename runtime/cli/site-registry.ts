import { dirname, resolve } from 'node:path';
import { Fault } from '#bundle/fault.ts';
import type { Site } from '#definition/site.ts';
import type { Registry } from '#pipeline/registry/client.ts';
import type { Place } from './builder.ts';

/**
 * The registry of the site, with the credentials of this machine. The file on the disk names it, so it may be in the
 * site's own network.
 * @throws Fault `CONFIG_INVALID` where the site has none, `REGISTRY_CREDENTIALS_INVALID`
 */
export async function openSiteRegistry(
  { place, site }: { readonly place: Place; readonly site: Site },
  { access, signal }: { readonly access: 'pull' | 'push'; readonly signal: AbortSignal },
): Promise<Registry> {
  const { oci, credentials: file, plainHttp } = site.store;
  if (oci === undefined) {
    const hint = 'Write store: { oci: "registry.example.org/site/boot" }';
    throw new Fault('CONFIG_INVALID', 'Cannot use a registry: the site names none', { hint, retry: 'stalled' });
  }
  const { openRegistry } = await import('#pipeline/registry/client.ts');
  const { hostNameOf, parseReference } = await import('#pipeline/registry/reference.ts');
  const { readCredentials } = await import('#pipeline/registry/credentials.ts');
  const reference = parseReference(oci);
  const { registry } = reference;
  const path = file === undefined ? {} : { path: resolve(dirname(place.configPath), file) };
  const credentials = await readCredentials({ registry, environment: process.env, isStore: true, ...path });
  const allowedHosts = [hostNameOf(registry)];
  return openRegistry({
    ...{ reference, access, credentials, allowedHosts, signal },
    ...(plainHttp !== undefined && { plainHttp }),
  });
}
