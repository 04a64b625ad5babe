import { request } from 'node:http';
import { Fault } from '#bundle/fault.ts';

export interface AskOptions {
  /** JSON; makes it a POST. */
  readonly body?: string;
  /** How long the answer may take. Default: 5 s. */
  readonly timeoutMs?: number;
}

/**
 * One HTTP exchange over a unix socket.
 * @returns the body of an answer with a 2xx status
 * @throws Fault `RUNTIME_UNREACHABLE`, or the fault that the runtime answers with
 */
export function askSocket(socketPath: string, path: string, options: AskOptions = {}): Promise<string> {
  const { body, timeoutMs = 5000 } = options;
  return new Promise((resolve, reject) => {
    const fail = (cause: unknown) => {
      const hint = 'Start it with "boottorrent run", or name its state directory with --state';
      reject(new Fault('RUNTIME_UNREACHABLE', `Cannot ask the runtime at ${socketPath}`, { cause, hint }));
    };
    const method = body === undefined ? 'GET' : 'POST';
    const headers = body === undefined ? {} : { 'content-type': 'application/json' };
    const exchange = request({ socketPath, path, method, headers, timeout: timeoutMs }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', fail);
      response.on('end', () => {
        const text = Buffer.concat(chunks).toString();
        const { statusCode = 0 } = response;
        if (statusCode >= 200 && statusCode < 300) return resolve(text);
        const fault = faultIn(text);
        if (fault) reject(fault);
        else fail(new Error(`it answered ${statusCode}: ${text.slice(0, 200)}`));
      });
    });
    exchange.on('timeout', () => exchange.destroy(new Error(`no answer within ${timeoutMs / 1000} s`)));
    exchange.on('error', fail);
    exchange.end(body);
  });
}

function faultIn(text: string): Fault | undefined {
  try {
    const { code, message, hint, retry } = JSON.parse(text);
    if (typeof code !== 'string' || typeof message !== 'string') return undefined;
    return new Fault(code, message, { ...(typeof hint === 'string' && { hint }), ...(retry && { retry }) });
  } catch {
    return undefined;
  }
}
