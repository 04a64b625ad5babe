import { Fault } from '#bundle/fault.ts';
import { parseChallenges } from './challenge.ts';
import type { Credentials } from './credentials.ts';
import type { RegistryLimits } from './limits.ts';
import type { Reference } from './reference.ts';
import { type Answer, discard, readBody, showUrl, type Wire } from './wire.ts';

export interface AuthorizationOptions {
  readonly reference: Reference;
  readonly access: 'pull' | 'push';
  readonly credentials: Credentials | undefined;
  readonly home: URL;
  readonly wire: Wire;
  readonly limits: RegistryLimits;
}

/** What is sent as `authorization`, learned from the registry's challenges. */
export interface Authorization {
  header(): string | undefined;
  /** Takes an answer with status 401; whether trying again may help. */
  learn(answer: Answer): Promise<boolean>;
}

const tokenLimitBytes = 64 * 1024;

/**
 * Basic (RFC 7617), or a token from where the registry says.
 * @see https://distribution.github.io/distribution/spec/auth/token/
 */
export function openAuthorization(options: AuthorizationOptions): Authorization {
  let header: string | undefined;
  return {
    header: () => header,
    async learn(answer) {
      discard(answer);
      const offered = parseChallenges(answer.headers['www-authenticate'] ?? '');
      const bearer = offered.find(({ scheme }) => scheme === 'bearer');
      if (bearer) {
        header = `Bearer ${await fetchToken(bearer.parameters, options)}`;
        return true;
      }
      const before = header;
      const isBasic = offered.some(({ scheme }) => scheme === 'basic');
      if (isBasic && options.credentials) header = basic(options.credentials);
      return header !== before;
    },
  };
}

/**
 * Asks for this repository and this access, whatever scope the challenge names.
 * @throws Fault `REGISTRY_DENIED`, `REGISTRY_REFUSED`, those of {@link Wire}
 */
async function fetchToken(
  { realm = '', service }: Readonly<Record<string, string>>,
  { reference, access, credentials, home, wire, limits }: AuthorizationOptions,
): Promise<string> {
  const url = URL.canParse(realm) ? new URL(realm) : undefined;
  if (!url || (home.protocol === 'https:' && url.protocol !== 'https:')) {
    throw new Fault('REGISTRY_REFUSED', `Cannot ask for a token of ${home.host}: the registry names no https address`, {
      hint: 'Correct the realm in the configuration of the registry',
    });
  }
  if (service !== undefined) url.searchParams.set('service', service);
  url.searchParams.set('scope', `repository:${reference.repository}:${access === 'push' ? 'pull,push' : 'pull'}`);
  const headers = credentials ? { authorization: basic(credentials) } : {};
  const answer = await wire.send({ method: 'GET', url, headers });
  if (answer.status !== 200) {
    discard(answer);
    throw denied(reference, `${showUrl(url)} says ${answer.status}`, credentials);
  }
  const token = tokenIn((await readBody(answer, { limits, limitBytes: tokenLimitBytes })).toString());
  if (token === undefined)
    throw new Fault('REGISTRY_FAILED', `Cannot read the token of ${showUrl(url)}: there is none`, {
      hint: 'Look into the log of the server that gives tokens',
    });
  return token;
}

/** @returns undefined where there is none, or one that does not fit into a header */
function tokenIn(text: string): string | undefined {
  try {
    const { token, access_token } = JSON.parse(text) as Record<string, unknown>;
    const found = token ?? access_token;
    return typeof found === 'string' && /^[\x21-\x7e]+$/.test(found) ? found : undefined;
  } catch {
    return undefined;
  }
}

export function denied(reference: Reference, reason: string, credentials: Credentials | undefined): Fault {
  const { registry, repository } = reference;
  const known = credentials ? 'The credentials that are known for it' : 'No credentials are known for it: they';
  const places = 'BOOTTORRENT_REGISTRY_USER and BOOTTORRENT_REGISTRY_PASSWORD, store.credentials, or docker login';
  const hint = credentials ? `${known} do not suffice (${places})` : `${known} come from ${places}`;
  return new Fault('REGISTRY_DENIED', `Cannot use ${registry}/${repository}: access is denied (${reason})`, { hint });
}

function basic({ user, password }: Credentials): string {
  return `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
}
