import { Agent as HttpAgent, type IncomingHttpHeaders, type IncomingMessage, request as requestHttp } from 'node:http';
import { Agent as HttpsAgent, request as requestHttps } from 'node:https';
import { isIP, type LookupFunction } from 'node:net';
import { pipeline, type Readable } from 'node:stream';
import { Fault } from '#bundle/fault.ts';
import { hostOf, isLinkLocal, isPrivate, publicLookup } from '../network/private-address.ts';
import { type RegistryLimits, redirectLimit } from './limits.ts';

export interface Call {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PATCH' | 'PUT';
  readonly url: URL;
  readonly headers?: Readonly<Record<string, string>>;
  /** Made anew for each try; its length stands in the headers. */
  readonly body?: () => Readable;
  /** How long an answer may take to begin, once the body is sent. Default: the patience of the limits. */
  readonly answerMs?: number;
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** Where it came from in the end. */
  readonly url: URL;
  readonly method: Call['method'];
  readonly message: IncomingMessage;
}

export interface WireOptions {
  /** Where the registry is: the only origin that an `authorization` header ever goes to, but for a token's. */
  readonly home: URL;
  /** Hosts whose address may be private. */
  readonly allowedHosts: readonly string[];
  readonly limits: RegistryLimits;
  readonly signal?: AbortSignal;
}

/** HTTP as far as a server that may lie is asked: every wait, every body and every redirect has an end. */
export interface Wire {
  /**
   * One request; redirects of GET and HEAD are followed, without the `authorization` header where they leave the
   * origin, never from https to http. They lead to a private address only when the registry itself has one.
   * @throws Fault `REGISTRY_REFUSED`, `REGISTRY_SLOW`, `REGISTRY_FAILED`
   */
  send(call: Call): Promise<Answer>;
  close(): void;
}

export function openWire(options: WireOptions): Wire {
  const { home, allowedHosts } = options;
  const agents = openAgents();
  let homeIsPrivate = false;

  async function exchange(call: Call): Promise<Answer> {
    const { url } = call;
    const isAllowed = allowedHosts.includes(hostOf(url));
    const mayBePrivate = homeIsPrivate || isAllowed;
    refuseUnfit(url, { mayBePrivate, isAllowed });
    const message = await request(call, agents.of(url, mayBePrivate), options).catch(asFault(url, options.signal));
    if (url.host === home.host && isPrivate(message.socket.remoteAddress ?? '')) homeIsPrivate = true;
    return { status: message.statusCode ?? 0, headers: message.headers, url, method: call.method, message };
  }

  return {
    async send(first) {
      let call = first;
      for (let redirects = 0; redirects <= redirectLimit; redirects++) {
        const answer = await exchange(call);
        const target = redirectOf(call, answer);
        if (!target) return answer;
        discard(answer);
        call = { ...call, url: target, headers: headersFor(target, call) };
      }
      throw refused(first.url, `more than ${redirectLimit} redirects`);
    },
    close: agents.close,
  };
}

/** Ends an answer whose body nobody wants. */
export function discard({ message, method, headers }: Answer): void {
  if (method === 'HEAD' || headers['content-length'] === '0') message.resume();
  else message.destroy();
}

/** An address as it may be shown: what follows the "?" of a storage server's address is a password. */
export function showUrl(url: URL): string {
  return `${url.origin}${url.pathname}`;
}

function redirectOf({ method, url }: Call, { status, headers }: Answer): URL | undefined {
  if (![301, 302, 303, 307, 308].includes(status) || (method !== 'GET' && method !== 'HEAD')) return undefined;
  const target = URL.canParse(headers.location ?? '', url.href) ? new URL(headers.location ?? '', url) : undefined;
  if (headers.location === undefined || !target) throw refused(url, 'it redirects to no address');
  if (url.protocol === 'https:' && target.protocol !== 'https:') {
    throw refused(url, `it leads from https to ${target.protocol.slice(0, 10)}`);
  }
  return target;
}

function headersFor(target: URL, { url, headers = {} }: Call): Readonly<Record<string, string>> {
  if (target.origin === url.origin) return headers;
  return Object.fromEntries(Object.entries(headers).filter(([name]) => name !== 'authorization'));
}

/** Even a private registry must not lead to where a cloud keeps its secrets. */
function refuseUnfit(url: URL, { mayBePrivate, isAllowed }: { mayBePrivate: boolean; isAllowed: boolean }): void {
  const host = hostOf(url);
  if (url.protocol !== 'https:' && url.protocol !== 'http:') throw refused(url, 'only http and https are spoken');
  if (url.username !== '' || url.password !== '') throw refused(url, 'a password stands in its address');
  if (!isAllowed && isLinkLocal(host)) throw privateFault(host);
  if (!mayBePrivate && isIP(host) !== 0 && isPrivate(host)) throw privateFault(host);
}

function refused(url: URL, reason: string): Fault {
  return new Fault('REGISTRY_REFUSED', `Cannot use ${showUrl(url)}: ${reason}`, {
    hint: 'Look at what the registry, or the proxy before it, sends clients to',
  });
}

function privateFault(host: string): Fault {
  return new Fault('REGISTRY_REFUSED', `Cannot get anything from ${host}: its address is private`, {
    hint: 'A public registry must not lead into this network; a private one is named in the site file on this machine',
    retry: 'stalled',
  });
}

function openAgents() {
  const lookup: LookupFunction = publicLookup(privateFault);
  const make = (settings: object) => ({
    'http:': new HttpAgent({ keepAlive: true, ...settings }),
    'https:': new HttpsAgent({ keepAlive: true, ...settings }),
  });
  // A connection that was looked up by one rule is never used under the other.
  const open = { any: make({}), public: make({ lookup }) };
  const all = [...Object.values(open.any), ...Object.values(open.public)];
  return {
    of: (url: URL, mayBePrivate: boolean) => open[mayBePrivate ? 'any' : 'public'][url.protocol as 'http:' | 'https:'],
    close: () => {
      for (const agent of all) agent.destroy();
    },
  };
}

function request(call: Call, agent: HttpAgent | HttpsAgent, { limits, signal }: WireOptions): Promise<IncomingMessage> {
  const { method, url, headers = {}, body, answerMs = limits.patienceMs } = call;
  const send = url.protocol === 'https:' ? requestHttps : requestHttp;
  return new Promise((done, fail) => {
    const settings = { method, agent, headers: { 'user-agent': 'boottorrent', ...headers }, ...(signal && { signal }) };
    const asking = send(url, settings);
    let deadline: NodeJS.Timeout | undefined;
    asking.once('response', (message) => {
      clearTimeout(deadline);
      asking.setTimeout(0);
      done(message);
    });
    asking.on('error', (error) => {
      clearTimeout(deadline);
      fail(error);
    });
    asking.setTimeout(Math.max(answerMs, limits.patienceMs), () => asking.destroy(slow(url)));
    // Once all is sent; a server that dribbles its header never falls silent.
    asking.once('finish', () => {
      deadline = setTimeout(() => asking.destroy(slow(url)), answerMs);
    });
    if (body) pipeline(body(), asking, () => {});
    else asking.end();
  });
}

/**
 * The body of an answer, chunk by chunk. Only the time counts in which the server is waited for.
 * @throws Fault `REGISTRY_SLOW`, `REGISTRY_TOO_LARGE`, `REGISTRY_FAILED`
 */
export async function* bodyOf(
  { message, url }: Answer,
  { limits, limitBytes }: { readonly limits: RegistryLimits; readonly limitBytes: number },
): AsyncGenerator<Buffer> {
  const chunks = message[Symbol.asyncIterator]();
  let [waitedMs, bytes, total] = [0, 0, 0];
  try {
    for (;;) {
      const before = performance.now();
      const timer = setTimeout(() => message.destroy(slow(url)), limits.patienceMs);
      const next = await chunks.next().finally(() => clearTimeout(timer));
      if (next.done) return;
      waitedMs += performance.now() - before;
      bytes += next.value.length;
      total += next.value.length;
      if (total > limitBytes) throw tooLarge(url, limitBytes);
      if (waitedMs > limits.patienceMs) {
        if (bytes < limits.patienceBytes) throw slow(url);
        [waitedMs, bytes] = [0, 0];
      }
      yield next.value;
    }
  } catch (error) {
    asFault(url, undefined)(error);
  } finally {
    if (!message.complete) message.destroy();
  }
}

/** A small body. @throws those of {@link bodyOf} */
export async function readBody(
  answer: Answer,
  options: { readonly limits: RegistryLimits; readonly limitBytes: number },
): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of bodyOf(answer, options)) chunks.push(chunk);
  return Buffer.concat(chunks);
}

function slow(url: URL): Fault {
  return new Fault('REGISTRY_SLOW', `Cannot wait any longer for ${showUrl(url)}: it brings next to nothing`, {
    hint: 'Check the network between this host and the registry',
  });
}

function tooLarge(url: URL, limitBytes: number): Fault {
  return new Fault('REGISTRY_TOO_LARGE', `Cannot use ${showUrl(url)}: more than the expected ${limitBytes} bytes`, {
    hint: 'The registry sends something else than was pushed: push again, or use another one',
  });
}

function asFault(url: URL, signal: AbortSignal | undefined): (error: unknown) => never {
  return (cause) => {
    signal?.throwIfAborted();
    if (cause instanceof Fault) throw cause;
    const { code, message } = cause as NodeJS.ErrnoException;
    throw new Fault('REGISTRY_FAILED', `Cannot reach ${showUrl(url)}: ${code ?? message}`, {
      cause,
      hint: 'Check the address of the registry and this host’s network',
    });
  };
}
