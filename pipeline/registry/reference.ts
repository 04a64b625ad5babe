import type { Digest } from '#bundle/digest.ts';
import { Fault } from '#bundle/fault.ts';

/** A place in an OCI registry, parsed. */
export interface Reference {
  /** Host, and port where one is written: who asks for credentials. */
  readonly registry: string;
  readonly repository: string;
  readonly tag?: string;
  readonly digest?: Digest;
}

// The grammar of https://github.com/distribution/reference, with the host always written.
const host = '(?:[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?|\\[[0-9a-fA-F:.]{2,45}\\])(?::[0-9]{1,5})?';
const part = '[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*';
const pattern = new RegExp(
  `^(${host})/(${part}(?:/${part})*)(?::([A-Za-z0-9_][A-Za-z0-9._-]{0,127}))?(?:@sha256:([0-9a-f]{64}))?$`,
);

/** Of `boot.config.yaml`: host and repository, without tag or digest. */
export const repositoryPattern = `^${host}/${part}(/${part})*$`;

/**
 * Reads `registry.example.org:5000/site/boot:tag@sha256:…`; tag and digest may be absent, the registry may not. Without
 * a dot, a port or "localhost" in its first part a name would be one of Docker Hub's, which is written `docker.io/library/…`.
 * @throws Fault `REGISTRY_REFERENCE_INVALID`
 */
export function parseReference(text: string): Reference {
  const [, registry = '', repository = '', tag, digest] = (text.length <= 500 && pattern.exec(text)) || [];
  if (repository === '' || repository.length > 255 || !/[.:]|^localhost$/.test(registry)) {
    throw new Fault(
      'REGISTRY_REFERENCE_INVALID',
      `Cannot read ${JSON.stringify(text.slice(0, 200))}: no place in a registry`,
      {
        hint: 'Write host, repository, and a tag or a digest: registry.example.org/site/boot@sha256:…',
        retry: 'stalled',
      },
    );
  }
  return {
    registry: registry.toLowerCase(),
    repository,
    ...(tag !== undefined && { tag }),
    ...(digest !== undefined && { digest: digest as Digest }),
  };
}

export function formatReference({ registry, repository, tag, digest }: Reference): string {
  return `${registry}/${repository}${tag === undefined ? '' : `:${tag}`}${digest === undefined ? '' : `@sha256:${digest}`}`;
}

/** Where the registry's HTTP interface is. Docker Hub answers under another name than the one that people write. */
export function registryUrl(registry: string, plainHttp: boolean): URL {
  const name = registry === 'docker.io' || registry === 'index.docker.io' ? 'registry-1.docker.io' : registry;
  return new URL(`${plainHttp ? 'http' : 'https'}://${name}/`);
}

/** Whether a registry is on this very machine: the one case where plain HTTP needs no word of the operator. */
export function isLoopback(registry: string): boolean {
  return /^(localhost|127(\.[0-9]{1,3}){3}|\[::1\])(:[0-9]+)?$/.test(registry);
}

/** The host of a registry without its port. */
export function hostNameOf(registry: string): string {
  return new URL(`https://${registry}/`).hostname.replace(/^\[|\]$/g, '');
}
