import { setTimeout as sleep } from 'node:timers/promises';
import { Fault } from '#bundle/fault.ts';
import { denied, openAuthorization } from './authorization.ts';
import type { Credentials } from './credentials.ts';
import { type RegistryLimits, registryLimits } from './limits.ts';
import { isLoopback, type Reference, registryUrl } from './reference.ts';
import { type Answer, type Call, discard, openWire, readBody, showUrl } from './wire.ts';

export interface RegistryOptions {
  readonly reference: Reference;
  /** Default: none, anybody may ask. */
  readonly credentials?: Credentials | undefined;
  /** Default: `pull`. */
  readonly access?: 'pull' | 'push';
  /** Speak HTTP instead of HTTPS. Default: with a registry on this machine (localhost, 127.0.0.0/8) only. */
  readonly plainHttp?: boolean;
  /** Hosts, without port, whose address may be private. Default: none. */
  readonly allowedHosts?: readonly string[];
  readonly limits?: Partial<RegistryLimits>;
  readonly signal?: AbortSignal;
}

/** One repository of a registry, asked again and again. */
export interface Session {
  readonly reference: Reference;
  readonly limits: RegistryLimits;
  readonly signal: AbortSignal | undefined;
  /** An address below `/v2/<repository>/`. */
  url(path: string): URL;
  /**
   * Asks, authenticates where that is wanted, tries again what may pass.
   * @param ask.expect the statuses that are an answer @param ask.once no second try but to authenticate
   * @throws Fault `REGISTRY_DENIED`, `REGISTRY_NOT_FOUND`, `REGISTRY_FAILED`, `REGISTRY_SLOW`, `REGISTRY_REFUSED`
   */
  ask(call: Call, ask: { readonly expect: readonly number[]; readonly once?: boolean }): Promise<Answer>;
  close(): void;
}

/** A pause that a server asks for is kept up to here. */
const retryAfterLimitMs = 30_000;

export function openSession(options: RegistryOptions): Session {
  const { reference, credentials, access = 'pull', allowedHosts = [], signal } = options;
  const limits = { ...registryLimits, ...options.limits };
  const home = registryUrl(reference.registry, options.plainHttp ?? isLoopback(reference.registry));
  const wire = openWire({ home, allowedHosts, limits, ...(signal && { signal }) });
  const authorization = openAuthorization({ reference, access, credentials, home, wire, limits });

  async function send(call: Call): Promise<Answer> {
    const header = call.url.origin === home.origin ? authorization.header() : undefined;
    const headers = { ...call.headers, ...(header !== undefined && { authorization: header }) };
    return wire.send({ ...call, headers });
  }

  async function authenticated(call: Call): Promise<Answer> {
    const answer = await send(call);
    if (answer.status !== 401 || answer.url.origin !== home.origin) return answer;
    return (await authorization.learn(answer)) ? send(call) : answer;
  }

  async function ask(call: Call, { expect, once = false }: { expect: readonly number[]; once?: boolean }) {
    for (let attempt = 1; ; attempt++) {
      const isLast = once || attempt >= limits.tries;
      const answer = await authenticated(call).catch((error) => {
        if (isLast || !mayPass(error)) throw error;
        return undefined;
      });
      if (answer && expect.includes(answer.status)) return answer;
      if (answer && (isLast || !(answer.status === 429 || answer.status >= 500))) throw await faultOf(answer);
      if (answer) discard(answer);
      await sleep(pauseMs(answer, attempt), undefined, signal ? { signal } : {}).catch(() => signal?.throwIfAborted());
    }
  }

  function pauseMs(answer: Answer | undefined, attempt: number): number {
    const askedMs = Number(answer?.headers['retry-after'] ?? 0) * 1000;
    const pause = Math.max(limits.pauseMs * 2 ** (attempt - 1), Number.isFinite(askedMs) ? askedMs : 0);
    return Math.min(pause, retryAfterLimitMs);
  }

  async function faultOf(answer: Answer): Promise<Fault> {
    const { status } = answer;
    const word = await errorCode(answer, limits);
    const reason = word === undefined ? `${status}` : `${status} ${word}`;
    if (status === 401 || status === 403) return denied(reference, reason, credentials);
    const what = showUrl(answer.url);
    if (status === 404)
      return new Fault('REGISTRY_NOT_FOUND', `Cannot get ${what}: the registry has it not (${reason})`, {
        hint: 'Push it, or correct the name, the tag or the digest',
      });
    return new Fault('REGISTRY_FAILED', `Cannot use ${what}: the registry says ${reason}`, {
      hint: 'Look into the log of the registry, and try again later',
    });
  }

  const url = (path: string) => new URL(`/v2/${reference.repository}/${path}`, home);
  return { reference, limits, signal, url, ask, close: wire.close };
}

/** Whether the same request may be answered next time. */
export function mayPass(error: unknown): boolean {
  return error instanceof Fault && (error.code === 'REGISTRY_FAILED' || error.code === 'REGISTRY_SLOW');
}

/** The registry's own word for a fault. Only that: a message of its could say back what was sent to it. */
async function errorCode(answer: Answer, limits: RegistryLimits): Promise<string | undefined> {
  try {
    const text = (await readBody(answer, { limits, limitBytes: 8192 })).toString();
    const { errors } = JSON.parse(text) as { errors?: readonly { code?: unknown }[] };
    const code = String(errors?.[0]?.code ?? '');
    return /^[A-Z][A-Z_]{2,40}$/.test(code) ? code : undefined;
  } catch {
    return undefined;
  }
}
