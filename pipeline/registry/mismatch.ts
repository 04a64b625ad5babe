import type { Digest } from '#bundle/digest.ts';
import { Fault } from '#bundle/fault.ts';
import { formatReference } from './reference.ts';
import type { Session } from './session.ts';

export function mismatch({ reference }: Session, wanted: Digest, found: string): Fault {
  const { registry, repository } = reference;
  const what = formatReference({ registry, repository, digest: wanted });
  return new Fault('REGISTRY_DIGEST_MISMATCH', `Cannot use ${what}: the registry sends sha256:${found}`, {
    hint: 'The registry, or somebody between it and here, changes what is sent: push again, or use another one',
  });
}
