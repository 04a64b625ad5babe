import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { rm } from 'node:fs/promises';
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
  /** An answer must begin, and `patienceBytes` must come, within each such time. Default: 60 s. */
  readonly patienceMs?: number;
  /** Default: 60 KiB, less than the slowest line brings. */
  readonly patienceBytes?: number;
  readonly signal?: AbortSignal;
}

const redirectLimit = 5;

/**
 * Downloads a file whose digest is known into `path`. The address comes from a commit, so it must not lead into the
 * builder's own network: private addresses are refused, at the connection itself, for each redirect.
 * Nothing is left in `path` when it fails.
 * @throws Fault `URL_REFUSED`, `URL_FETCH_FAILED`, `URL_TOO_SLOW`, `URL_TOO_LARGE`, `URL_DIGEST_MISMATCH`
 */
export async function downloadFile(url: string, path: string, options: DownloadOptions): Promise<void> {
  try {
    const response = await open(new URL(url), options);
    const found = await receive(response, path, { ...options, url });
    if (found === options.sha256) return;
    const hint = 'The file behind the address changed, or the sha256 of the definition is wrong';
    const message = `Cannot use ${url}: expected SHA-256 ${options.sha256}, got ${found}`;
    throw new Fault('URL_DIGEST_MISMATCH', message, { hint });
  } catch (error) {
    await rm(path, { force: true });
    throw error;
  }
}

/** @returns the SHA-256 of what came */
async function receive(
  response: IncomingMessage,
  path: string,
  options: DownloadOptions & { readonly url: string },
): Promise<string> {
  const { url, limitBytes = 8 * 1024 ** 3, signal } = options;
  const hash = createHash('sha256');
  let sizeBytes = 0;
  const count = async function* (chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    for await (const chunk of chunks) {
      sizeBytes += chunk.length;
      if (sizeBytes > limitBytes) throw tooLarge(url, limitBytes);
      hash.update(chunk);
      yield chunk;
    }
  };
  const timer = watchSpeed(response, options, () => sizeBytes);
  try {
    await pipeline(response, count, createWriteStream(path), signal ? { signal } : {}).catch(asFault(url, signal));
  } finally {
    clearInterval(timer);
  }
  return hash.digest('hex');
}

/** Ends a body that brings nearly nothing: a byte a second would be awaited for years. */
function watchSpeed(
  response: IncomingMessage,
  { url, patienceMs = 60_000, patienceBytes = 60 * 1024 }: DownloadOptions & { readonly url: string },
  sizeBytes: () => number,
): NodeJS.Timeout {
  let before = 0;
  return setInterval(() => {
    const now = sizeBytes();
    if (now - before < patienceBytes) response.destroy(tooSlow(url, patienceMs));
    before = now;
  }, patienceMs);
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
      throw new Fault('URL_FETCH_FAILED', `Cannot get ${url.href}: the server says ${statusCode}`, { hint: checkHint });
    }
    if (!URL.canParse(headers.location, url.href)) throw refused(`Cannot get ${url.href}: it leads to no address`);
    const next = new URL(headers.location, url);
    if (url.protocol === 'https:' && next.protocol !== 'https:') {
      throw refused(`Cannot get ${url.href}: it leads from https to ${next.protocol}`);
    }
    url = next;
  }
  const message = `Cannot get ${first.href}: more than ${redirectLimit} redirects`;
  throw new Fault('URL_FETCH_FAILED', message, { hint: checkHint });
}

function request(
  url: URL,
  { allowedHosts = [], patienceMs = 60_000, signal }: DownloadOptions,
): Promise<IncomingMessage> {
  const get = url.protocol === 'https:' ? getHttps : getHttp;
  const isAllowed = allowedHosts.includes(hostOf(url));
  const settings: RequestOptions = {
    ...(signal && { signal }),
    ...(!isAllowed && { lookup: publicLookup(privateFault) }),
    // A connection of the shared agent was looked up by somebody else's rules.
    agent: false,
  };
  return new Promise((done, fail) => {
    const call = get(url, settings, (response) => {
      clearTimeout(timer);
      done(response);
    });
    const timer = setTimeout(() => call.destroy(tooSlow(url.href, patienceMs)), patienceMs);
    call.on('error', (error) => {
      clearTimeout(timer);
      fail(error);
    });
  });
}

function refuse(url: URL, allowedHosts: readonly string[]): void {
  const host = hostOf(url);
  if (url.protocol !== 'https:' && url.protocol !== 'http:') {
    throw refused(`Cannot get ${url.href}: only http and https are served`);
  }
  if (isIP(host) !== 0 && !allowedHosts.includes(host) && isPrivate(host)) throw privateFault(host);
}

function privateFault(host: string): Fault {
  const hint = 'Put the file into the image’s folder, or serve it from a public address';
  return new Fault('URL_REFUSED', `Cannot get a file from ${host}: its address is private`, { hint, retry: 'stalled' });
}

const checkHint = 'Check the address and this host’s network';

function refused(message: string): Fault {
  const hint = 'Name the address where the file itself is, by https or http';
  return new Fault('URL_REFUSED', message, { hint, retry: 'stalled' });
}

function tooLarge(url: string, limitBytes: number): Fault {
  const hint = 'Look at what is behind the address: no image has a file of that size';
  return new Fault('URL_TOO_LARGE', `Cannot get ${url}: over ${limitBytes} bytes`, { hint });
}

function tooSlow(url: string, patienceMs: number): Fault {
  const message = `Cannot get ${url}: the server sends nearly nothing for ${patienceMs / 1000} s`;
  return new Fault('URL_TOO_SLOW', message, { hint: 'Try again later, or name another server' });
}

function asFault(url: string, signal: AbortSignal | undefined): (error: unknown) => never {
  return (cause) => {
    signal?.throwIfAborted();
    if (cause instanceof Fault) throw cause;
    throw new Fault('URL_FETCH_FAILED', `Cannot get ${url}`, {
      cause,
      hint: checkHint,
    });
  };
}
