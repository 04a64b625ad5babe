import { Fault } from '#bundle/fault.ts';
import { lastLine } from './command.ts';
import type { Child, Host } from './host.ts';

const pollMs = 50;

/** Starts a plain HTTP download of `url` into a file. */
export function startDownload(host: Host, url: string, path: string): Child {
  return host.start(['wget', '-q', '-T', '20', '-O', path, url]);
}

/** The same, from where the file ends that is there. */
export function resumeDownload(host: Host, url: string, path: string): Child {
  return host.start(['wget', '-q', '-c', '-T', '20', '-O', path, url]);
}

/**
 * Fetches a small document into a file of the work folder.
 * @throws Fault `SERVER_BUSY` for status 503, `SESSION_UNKNOWN` for 404, `SERVER_UNREACHABLE`, `RESPONSE_TOO_LARGE`
 */
export function fetchText(host: Host, url: string, limits: { timeoutMs: number; limitBytes: number }): string {
  const path = `${host.workPath}/response`;
  host.writeText(path, '');
  const child = startDownload(host, url, path);
  const endMs = host.uptimeMs() + limits.timeoutMs;
  let status = child.poll();
  for (; status === undefined; status = child.poll()) {
    const isTooLarge = (host.sizeBytes(path) ?? 0) > limits.limitBytes;
    if (isTooLarge || host.uptimeMs() > endMs) {
      child.stop();
      throw isTooLarge ? tooLarge(url) : unreachable(url, `no answer within ${limits.timeoutMs / 1000} s`);
    }
    host.sleep(pollMs);
  }
  if (status !== 0) throw httpFault(url, lastLine(child.output()));
  if ((host.sizeBytes(path) ?? 0) > limits.limitBytes) throw tooLarge(url);
  return host.readText(path) ?? '';
}

/**
 * Posts JSON and waits at most some seconds for the answer, of which no more than the limit is read; undefined when
 * there was none. Never throws.
 */
export function postJson(host: Host, url: string, text: string, limitBytes: number): string | undefined {
  const path = `${host.workPath}/request`;
  host.writeText(path, text);
  const wget = ['wget', '-q', '-T', '4', '-O', '-', '--header', 'Content-Type: application/json'];
  const argv = ['timeout', '5', ...wget, `--post-file=${path}`, url];
  const { stdout } = host.run(['sh', '-c', `"$@" | head -c ${limitBytes + 1}`, 'sh', ...argv]);
  return stdout === '' ? undefined : stdout;
}

function httpFault(url: string, said: string): Fault {
  const busy = /HTTP\/1\.[01] 503(?: ([A-Z][A-Z_]{2,63})\b)?/.exec(said);
  if (busy) {
    const reason = busy[1] === undefined ? '' : `, it says ${busy[1]}`;
    const hint = 'The log of the runtime says more';
    return new Fault('SERVER_BUSY', `Cannot fetch ${url}: the server is not ready${reason}`, {
      retry: 'waiting',
      hint,
    });
  }
  // The server never heard of this boot session: it was restarted, or it forgot a node that took too long.
  if (/HTTP\/1\.[01] 404/.test(said)) {
    return new Fault('SESSION_UNKNOWN', `Cannot fetch ${url}: the server does not know it`);
  }
  return unreachable(url, said.replace(/^wget: /, '') || 'no reason given');
}

function unreachable(url: string, reason: string): Fault {
  return new Fault('SERVER_UNREACHABLE', `Cannot fetch ${url}: ${reason}`);
}

function tooLarge(url: string): Fault {
  return new Fault('RESPONSE_TOO_LARGE', `Cannot fetch ${url}: the answer is too large`);
}
