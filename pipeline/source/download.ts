import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { get as getHttp, type IncomingMessage, type RequestOptions } from 'node:http';
import { get as getHttps } from 'node:https';
import { isIP } from 'node:net';
import { pipeline } from 'node:stream/promises';
import type { Digest } from '#bundle/digest.ts';
import { Fault } from '#bundle/fault.ts';
import { hostOf, isPrivate, publicLookup } from '../network/private-address.ts';

export interface DownloadOptions {
  readonly sha256: Digest;
  /** Default: 8 GiB. */
  readonly limitBytes?: number;
  /** Host names and addresses that may be private ones. Default: none. */
  readonly allowedHosts?: readonly string[];
  /** Without a byte for so long the download has failed. Default: 60 s. */
  readonly idleMs?: number;
  readonly signal?: AbortSignal;
}

const redirectLimit = 5;

/**
 * Downloads a file whose digest is known into `path`. The address comes from a commit, so it must not lead into the
 * builder's own network: private addresses are refused, at the connection itself, for each redirect.
 * @throws Fault `URL_REFUSED`, `URL_FETCH_FAILED`, `URL_TOO_LARGE`, `URL_DIGEST_MISMATCH`
 */
export async function downloadFile(url: string, path: string, options: DownloadOptions): Promise<void> {
  const { sha256, limitBytes = 8 * 1024 ** 3, signal } = options;
  const response = await open(new URL(url), options);
  const hash = createHash('sha256');
  let sizeBytes = 0;
  const count = async function* (chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    for await (const chunk of chunks) {
      sizeBytes += chunk.length;
      if (sizeBytes > limitBytes) throw new Fault('URL_TOO_LARGE', `Cannot get ${url}: over ${limitBytes} bytes`);
      hash.update(chunk);
      yield chunk;
    }
  };
  await pipeline(response, count, createWriteStream(path), signal ? { signal } : {}).catch(asFault(url, signal));
  const found = hash.digest('hex');
  if (found === sha256) return;
  const hint = 'The file behind the address changed, or the sha256 of the definition is wrong';
  throw new Fault('URL_DIGEST_MISMATCH', `Cannot use ${url}: expected SHA-256 ${sha256}, got ${found}`, { hint });
}

async function open(first: URL, options: DownloadOptions): Promise<IncomingMessage> {
  let url = first;
  for (let redirects = 0; redirects <= redirectLimit; redirects += 1) {
    refuse(url, options.allowedHosts ?? []);
    const response = await request(url, options).catch(asFault(url.href, options.signal));
    const { statusCode = 0, headers } = response;
    if (statusCode === 200) return response;
    response.destroy();
    if (statusCode < 300 || statusCode > 399 || headers.location === undefined) {
      throw new Fault('URL_FETCH_FAILED', `Cannot get ${url.href}: the server says ${statusCode}`);
    }
    const next = new URL(headers.location, url);
    if (url.protocol === 'https:' && next.protocol !== 'https:') {
      throw new Fault('URL_REFUSED', `Cannot get ${url.href}: it leads from https to ${next.protocol}`);
    }
    url = next;
  }
  throw new Fault('URL_FETCH_FAILED', `Cannot get ${first.href}: more than ${redirectLimit} redirects`);
}

function request(url: URL, { allowedHosts = [], idleMs = 60_000, signal }: DownloadOptions): Promise<IncomingMessage> {
  const get = url.protocol === 'https:' ? getHttps : getHttp;
  const isAllowed = allowedHosts.includes(hostOf(url));
  const settings: RequestOptions = {
    ...(signal && { signal }),
    ...(!isAllowed && { lookup: publicLookup(privateFault) }),
    // A connection of the shared agent was looked up by somebody else's rules.
    agent: false,
  };
  return new Promise((done, fail) => {
    const call = get(url, settings, done);
    call.on('error', fail);
    call.setTimeout(idleMs, () => call.destroy(new Error(`no byte for ${idleMs / 1000} s`)));
  });
}

function refuse(url: URL, allowedHosts: readonly string[]): void {
  const host = hostOf(url);
  if (url.protocol !== 'https:' && url.protocol !== 'http:') {
    throw new Fault('URL_REFUSED', `Cannot get ${url.href}: only http and https are served`, { retry: 'stalled' });
  }
  if (isIP(host) !== 0 && !allowedHosts.includes(host) && isPrivate(host)) throw privateFault(host);
}

function privateFault(host: string): Fault {
  const hint = 'Put the file into the image’s folder, or serve it from a public address';
  return new Fault('URL_REFUSED', `Cannot get a file from ${host}: its address is private`, { hint, retry: 'stalled' });
}

function asFault(url: string, signal: AbortSignal | undefined): (error: unknown) => never {
  return (cause) => {
    signal?.throwIfAborted();
    if (cause instanceof Fault) throw cause;
    throw new Fault('URL_FETCH_FAILED', `Cannot get ${url}`, {
      cause,
      hint: 'Check the address and this host’s network',
    });
  };
}
